/**
 * Ollama's own chat API, which takes what its compatible one does not read: asked in, never spoken to callers.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { FieldClass } from "../conversation/Problem.js"
import { wordNames } from "../parts/toolNames.js"
import { asStrings, isGiven } from "../parts/values.js"
import type { Feature, Target } from "../Translator.js"
import { eventReader, readAnswer, readError, readFinish, readTokens } from "./readAnswer.js"
import { writeRequest } from "./writeRequest.js"

const lacks: { readonly [feature in Feature]?: FieldClass } = {
  choices: "meaning",
  logprobs: "meaning",
  parallelTools: "advisory",
  verbosity: "advisory",
  modalities: "meaning",
  user: "advisory",
  cacheKey: "advisory",
  serviceTier: "advisory",
  metadata: "advisory"
}

/** Fields beside the options. */
const outside: ReadonlySet<string> = new Set(["keep_alive", "think", "format", "template", "truncate", "shift"])
const renamed: Readonly<Record<string, string>> = { max_tokens: "num_predict", max_completion_tokens: "num_predict" }
const optionNames: ReadonlySet<string> = new Set([
  "num_ctx",
  "num_predict",
  "num_gpu",
  "num_thread",
  "num_batch",
  "num_keep",
  "main_gpu",
  "use_mmap",
  "numa",
  "seed",
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "typical_p",
  "tfs_z",
  "repeat_penalty",
  "repeat_last_n",
  "presence_penalty",
  "frequency_penalty",
  "mirostat",
  "mirostat_eta",
  "mirostat_tau",
  "penalize_newline"
])

/** Default parameters in Ollama's words: most are options of the model's runner. */
const defaults = (given: JsonObject): JsonObject => {
  const options: Record<string, unknown> = {}
  const said: Record<string, unknown> = {}
  for (const name in given) {
    const value = given[name]
    if (!isGiven(value)) continue
    const option = Object.hasOwn(renamed, name) ? (renamed[name] ?? name) : name
    if (name === "options" && typeof value === "object") Object.assign(options, value)
    else if (outside.has(name)) said[name] = value
    else if (name === "stop") options.stop = asStrings(value)
    else if (name === "reasoning_effort") said.think = value !== "none"
    else if (optionNames.has(option)) options[option] = value
  }
  return Object.keys(options).length === 0 ? said : { ...said, options }
}

/** The dialect. */
export const ollama: Target = {
  name: "ollama",
  writeRequest,
  readAnswer,
  eventReader,
  readError,
  readTokens,
  readFinish,
  defaults,
  toolNames: wordNames,
  lacks
}
