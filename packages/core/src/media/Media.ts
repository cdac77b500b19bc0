/**
 * What is asked beside conversations, as a dialect: OpenAI's moderations, images, speech, transcriptions and translations, and
 * reranking in Cohere's words. Which of them a payload is for says the request's operation.
 */
import type { Dialect } from "../dialect/Dialect.js"
import type { JsonObject } from "../json/Json.js"
import type { Operation } from "../shared/Operation.js"
import { answer } from "./mediaAnswer.js"
import { answersInBytes, asksForEvents, request } from "./mediaRequest.js"

/** The dialect of what is asked beside conversations. */
export const media: Dialect = { name: "media", request, answer }

/** How the answer to a payload comes: as bytes that are no JSON, as events, or whole. */
export const comesAs = (operation: Operation, body: JsonObject): "bytes" | "events" | "whole" =>
  asksForEvents(operation, body) ? "events" : answersInBytes(operation, body) ? "bytes" : "whole"
