/**
 * Anthropic's Messages: the dialect of Claude, of Claude Code and Anthropic's SDKs, and of others who speak it.
 */
import type { Translator } from "../Translator.js"
import { defaults, edit } from "./edit.js"
import { errorEvent, readError, writeError } from "./errors.js"
import { eventReader } from "./eventReader.js"
import { eventWriter } from "./eventWriter.js"
import { fields, lacks, names, pathOf } from "./fields.js"
import { readAnswer } from "./readAnswer.js"
import { readRequest } from "./readRequest.js"
import { readFinish, readTokens, writeFinish, writeTokens } from "./tokens.js"
import { writeAnswer } from "./writeAnswer.js"
import { countRequest, writeRequest } from "./writeRequest.js"

export { countRequest }

/** Reads and writes Anthropic's Messages. */
export const messages: Translator = {
  name: "messages",
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
  lacks,
  fields,
  names,
  pathOf,
  edit
}
