/**
 * OpenAI's chat completions, in the spellings of all who speak the dialect.
 */
import type { Dialect } from "@switchyard/core/Dialect"
import { openAi } from "@switchyard/core/OpenAi"
import { wordNames } from "../parts/toolNames.js"
import type { Translator } from "../Translator.js"
import { edit } from "./edit.js"
import { errorEvent, readError, writeError } from "./errors.js"
import { eventReader } from "./eventReader.js"
import { eventWriter } from "./eventWriter.js"
import { fields, lacks, names, pathOf } from "./fields.js"
import { readFinish, writeFinish } from "./finish.js"
import { readAnswer } from "./readAnswer.js"
import { readRequest } from "./readRequest.js"
import { readTokens, writeTokens } from "./usage.js"
import { writeAnswer } from "./writeAnswer.js"
import { writeRequest } from "./writeRequest.js"

/** The dialect; what routing reads of it is core's. */
export const chat: Translator & Dialect = {
  ...openAi,
  name: "chat",
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
  defaults: (given) => given,
  fields,
  toolNames: wordNames,
  lacks,
  names,
  pathOf,
  edit
}
