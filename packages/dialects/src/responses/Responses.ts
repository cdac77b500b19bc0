/**
 * OpenAI's Responses: items in and out, events with names, thoughts that come back encrypted.
 */
import type { Translator } from "../Translator.js"
import { readAnswer } from "./answer/readAnswer.js"
import { writeAnswer } from "./answer/writeAnswer.js"
import { defaults, edit } from "./edit.js"
import { errorEvent, readError, writeError } from "./errors.js"
import { fields, lacks, names } from "./fields.js"
import { readFinish, writeFinish } from "./finish.js"
import { readRequest } from "./request/readRequest.js"
import { ownPath, writeRequest } from "./request/writeRequest.js"
import { eventReader } from "./stream/eventReader.js"
import { eventWriter } from "./stream/eventWriter.js"
import { readTokens, writeTokens } from "./tokens.js"

/** The dialect of `/v1/responses`. */
export const responses: Translator = {
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
  lacks,
  names,
  pathOf: ownPath
}
