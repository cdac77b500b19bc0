/**
 * What a "not found" (404, 405, 410) speaks of: the deployment's model, something that the request asked for and this
 * deployment lacks, or an id that only the caller can know.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { ErrorDetail } from "./errorDetail.js"

/** The request that an error answers, as far as the error may speak of it. */
export interface Asked {
  /** The provider's model name that was sent. */
  readonly model: string
  /** The body as the caller sent it. */
  readonly body: JsonObject
}

/** `model`: the deployment's own model is gone for sure. `feature`: the request wanted too much of it. `id`: the caller's id. */
export type Missing = "model" | "feature" | "id" | "unknown"

/** A part of a sentence: a dot ends one only before a space, since models have dots in their names. */
const part = (length: number): string => String.raw`(?:[^.\n]|\.(?!\s)){0,${length}}?`

const gone = `(?:(?:does|do) ?n[o']t exist|not exist|not (?:be )?found|(?:cannot|can't|couldn't) be found|no longer|(?:been |was |is )(?:decommissioned|deprecated|retired|removed|discontinued|shut down)|end of (?:life|service)|not deployed|not a valid model)`

const modelTexts: ReadonlyArray<RegExp> = [
  new RegExp(String.raw`\b(?:models?|deployment|engine)\b${part(160)}\b${gone}`, "i"),
  /\b(?:unknown|invalid|no such|unrecognized|unsupported) model\b(?! (?:parameter|input|option|setting|configuration))/i,
  /\bno endpoints found for\b/i,
  /^models?[:/] ?\S{1,200}$/i
]

const features = String.raw`(?:tools?|tool[ _-]?(?:use|choice|call\w*)|functions?|function[ _-]?call\w*|images?|vision|audio|videos?|files?|pdfs?|documents?|modalit\w+|multi-?modal|parameters?|json|structured|schemas?|response_format|reasoning|thinking|cache[ _]control|caching|logprobs|streaming|system (?:prompt|message|instruction|role)s?)`

const featureTexts: ReadonlyArray<RegExp> = [
  new RegExp(
    String.raw`\b(?:support|handl|allow|accept|satisf|match|enabl|capab|compatib)\w*\b${part(80)}\b${features}\b`,
    "i"
  ),
  new RegExp(String.raw`\b${features}\b${part(60)}\b(?:not|unsupported|isn't|aren't|disabled|unavailable)\b`, "i"),
  /\bdata (?:policy|collection|retention)\b|\bprivacy (?:settings?|polic)|\bguardrail/i,
  /\b(?:allowed|requested|specified|enabled|selected) providers?\b/i,
  /\bproviders? (?:have been |were |are |is |you )?(?:ignored|excluded|blocked|enabled|allowed)\b/i
]

/** What a text calls the things that a part of a request asks for. */
const askedWords: ReadonlyArray<readonly [asks: (asked: Asked) => boolean, words: RegExp]> = [
  [
    ({ body }) => [body.tools, body.functions, body.tool_choice].some((asked) => asked !== undefined && asked !== null),
    /\b(?:tools?|tool[ _-]?(?:use|choice|call\w*)|functions?|function[ _-]?call\w*)\b/i
  ],
  [
    ({ body }) => hasMedia(body),
    /\b(?:images?|vision|audio|videos?|files?|pdfs?|documents?|modalit\w+|multi-?modal)\b/i
  ],
  [({ body }) => isJsonObject(body.response_format), /\b(?:json|structured|schemas?|formats?)\b/i]
]

const hasMedia = (body: JsonObject): boolean =>
  arrayOf(body.messages).some(
    (message) =>
      isJsonObject(message) &&
      arrayOf(message.content).some((content) => isJsonObject(content) && content.type !== "text")
  )

/** Fields that every request has: their names in a text say nothing. */
const common: ReadonlySet<string> = new Set([
  "model",
  "messages",
  "prompt",
  "input",
  "stream",
  "user",
  "provider",
  "stop"
])

const namesField = (text: string, { body }: Asked): boolean => {
  const words = new Set(text.match(/[A-Za-z_]{4,64}/g))
  return Object.keys(body).some((key) => !common.has(key) && body[key] != null && words.has(key))
}

/** Kinds of things that callers have ids of. */
const kinds = `(?:previous_?response|response|file|item|conversation|container|audio|message|thread|assistant|vector_?store|batch|image|prompt|cached_?content|tool_?call|session|skill|upload|voice|reasoning)`

const idCode = new RegExp(`^(?:invalid_?)?${kinds}s?(?:_?id)?_?(?:not_?found|does_?not_?exist|expired)$`, "i")
const idParam = /(?:^|[._[\]])(?:\w+_)?ids?$/i
/** Ids of the kinds that OpenAI and its like give out; a digit keeps plain words out. */
const knownId =
  /(?<![\w-])(?:rs|msg|resp|conv|cntr|fc|ctc|call|toolu|ig|ws|ci|mcp|file|audio|vs|asst|thread|batch|pmpt|item|sess|upload)[_-](?=[\w-]*\d)[\w-]+/
const cachedId = /\b(?:cachedContents|files|fileSearchStores)\/[\w-]+/

/** What looks like an id, and so may be looked for in the request: a word with a digit in it, or an address. */
const idsIn = (text: string): ReadonlySet<string> =>
  new Set(
    text
      .split(/[\s"'`()<>{}[\],;]+/)
      .map((word) => word.replace(/[.:!?]+$/, ""))
      .filter((word) => word.length >= 6 && (/\d/.test(word) || word.includes("://")))
  )

const carries = (body: JsonObject, ids: ReadonlySet<string>): boolean => {
  const left: Array<unknown> = [body]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value === "string") {
      if (ids.has(value)) return true
    } else if (Array.isArray(value)) {
      for (const inner of value) left.push(inner)
    } else if (isJsonObject(value)) {
      for (const key in value) if (value !== body || key !== "model") left.push(value[key])
    }
  }
  return false
}

const namesId = ({ codes, param }: ErrorDetail, text: string, asked: Asked | undefined): boolean => {
  if (codes.some((code) => idCode.test(code))) return true
  if (param !== undefined && idParam.test(param) && !/model|deployment/i.test(param)) return true
  if (knownId.test(text) || cachedId.test(text)) return true
  if (asked === undefined) return false
  const ids = idsIn(`${text} ${param ?? ""}`)
  return ids.size > 0 && carries(asked.body, ids)
}

/** A model's name may hold words that mean something else, such as `tool` or `image`. */
const withoutModel = (text: string, asked: Asked | undefined): string =>
  asked === undefined || asked.model.length < 4 ? text : text.replaceAll(asked.model, "?")

const ownModelTexts: ReadonlyArray<RegExp> = [
  new RegExp(
    String.raw`(?:^|[.:!] ?)(?:the |this |your )?(?:requested |specified )?model(?: name)?[:]?(?: ["'\x60]?[\w./:@?-]{1,200}["'\x60]?)? (?:is |was |has )?${gone}`,
    "i"
  ),
  /^(?:[\w.]+: )?invalid model name\b/i
]

/** Whether the answer to a request that is called bad says, in so many words, that its model does not exist. */
export const saysModelIsGone = ({ param, text }: ErrorDetail): boolean =>
  (param === undefined || param === "model") && ownModelTexts.some((pattern) => pattern.test(text))

/** Reads what is missing from what the provider says, and from what the request asked for, where that is known. */
export const missing = (detail: ErrorDetail, asked: Asked | undefined): Missing => {
  const text = withoutModel(detail.text, asked)
  const says = (patterns: ReadonlyArray<RegExp>): boolean => patterns.some((pattern) => pattern.test(text))
  if (namesId(detail, text, asked)) return "id"
  if (says(featureTexts)) return "feature"
  if (says(modelTexts)) return "model"
  if (asked === undefined) return "unknown"
  const isAsked = namesField(text, asked) || askedWords.some(([asks, words]) => words.test(text) && asks(asked))
  return isAsked ? "feature" : "unknown"
}
