/**
 * Gemini's dialect: `generateContent` of Google's Gemini API and of Vertex AI.
 */
import type { Dialect } from "@switchyard/core/Dialect"
import { googleNames } from "../parts/toolNames.js"
import type { Translator } from "../Translator.js"
import { errorEvent, readError, writeError } from "./answer/errors.js"
import { eventReader } from "./answer/eventReader.js"
import { eventWriter } from "./answer/eventWriter.js"
import { readFinish, writeFinish } from "./answer/finish.js"
import { readAnswer } from "./answer/readAnswer.js"
import { readTokens, writeTokens } from "./answer/tokens.js"
import { writeAnswer } from "./answer/writeAnswer.js"
import { fields, lacks, names } from "./fields.js"
import { defaults, edit } from "./request/edit.js"
import { readRequest } from "./request/readRequest.js"
import { pathOf, writeRequest } from "./request/writeRequest.js"
import { answerWords, request } from "./words.js"

const translator: Translator = {
  name: "gemini",
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
  toolNames: googleNames,
  lacks,
  fields,
  names,
  pathOf,
  edit
}

/** Reads and writes Gemini's requests, answers, events and errors; and what the tower reads of them. */
export const gemini: Translator & Dialect = { ...translator, request, answer: answerWords(translator) }
