/**
 * Anthropic's Messages: the dialect of Claude, of Claude Code and Anthropic's SDKs, and of others who speak it.
 */
import type { Dialect } from "@switchyard/core/Dialect"
import { longNames } from "../parts/toolNames.js"
import type { Translator } from "../Translator.js"
import { answerOf } from "./answerWords.js"
import { defaults, edit } from "./edit.js"
import { errorEvent, readError, writeError } from "./errors.js"
import { eventReader } from "./eventReader.js"
import { eventWriter } from "./eventWriter.js"
import { fields, lacks, names, pathOf } from "./fields.js"
import { readAnswer } from "./readAnswer.js"
import { readRequest } from "./readRequest.js"
import { request } from "./requestWords.js"
import { readFinish, readTokens, writeFinish, writeTokens } from "./tokens.js"
import { writeAnswer } from "./writeAnswer.js"
import { countRequest, writeRequest } from "./writeRequest.js"

export { countRequest }

const translator: Translator = {
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
  toolNames: longNames,
  lacks,
  fields,
  names,
  pathOf,
  edit
}

/** Reads and writes Anthropic's Messages, and is their dialect to the layers of a tower. */
export const messages: Translator & Dialect = { ...translator, name: "messages", request, answer: answerOf(translator) }
