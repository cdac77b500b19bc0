/**
 * OpenAI's Responses: items in and out, events with names, thoughts that come back encrypted.
 */
import type { Dialect } from "@switchyard/core/Dialect"
import { wordNames } from "../parts/toolNames.js"
import type { Translator } from "../Translator.js"
import { readAnswer } from "./answer/readAnswer.js"
import { writeAnswer } from "./answer/writeAnswer.js"
import { answerWords } from "./answerWords.js"
import { defaults, edit } from "./edit.js"
import { errorEvent, readError, writeError } from "./errors.js"
import { fields, lacks, names } from "./fields.js"
import { readFinish, writeFinish } from "./finish.js"
import { readRequest } from "./request/readRequest.js"
import { ownPath, writeRequest } from "./request/writeRequest.js"
import { request } from "./requestWords.js"
import { eventReader } from "./stream/eventReader.js"
import { eventWriter } from "./stream/eventWriter.js"
import { readTokens, writeTokens } from "./tokens.js"

const translator: Translator = {
  name: "responses",
  readRequest,
  writeRequest,
  readAnswer,
  writeAnswer,
  eventReader,
  eventWriter,
  readError,
  writeError,
  errorEvent,
  readTokens,
  writeTokens,
  readFinish,
  writeFinish,
  defaults,
  edit,
  fields,
  toolNames: wordNames,
  lacks,
  names,
  pathOf: ownPath
}

/** The dialect of `/v1/responses`: its translator, and what the tower reads of it. */
export const responses: Translator & Dialect = { ...translator, request, answer: answerWords(translator) }
