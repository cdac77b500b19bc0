/**
 * OpenAI's legacy completions, as a conversation of one turn.
 */
import type { Dialect } from "@switchyard/core/Dialect"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { openAi } from "@switchyard/core/OpenAi"
import { Either } from "effect"
import { edit } from "../chat/edit.js"
import { errorEvent, readError, writeError } from "../chat/errors.js"
import { eventReader } from "../chat/eventReader.js"
import { fields } from "../chat/fields.js"
import { readFinish } from "../chat/finish.js"
import { readAnswer } from "../chat/readAnswer.js"
import { readTokens, writeTokens } from "../chat/usage.js"
import type { Answer, AnswerEvent, Finish } from "../conversation/Answer.js"
import type { Conversation, Settings, Turn } from "../conversation/Conversation.js"
import { Account, type FieldClass, type Problem } from "../conversation/Problem.js"
import type { Tokens } from "../conversation/Tokens.js"
import { isInstruction, textOf } from "../parts/instructions.js"
import { asBoolean, asNumber, asString, asStrings, isGiven } from "../parts/values.js"
import type {
  AnswerOptions,
  EventWriter,
  Feature,
  Given,
  Tell,
  Translator,
  WireEvent,
  WriteOptions,
  Written
} from "../Translator.js"

const lacks: { readonly [feature in Feature]?: FieldClass } = {
  topK: "advisory",
  parallelTools: "advisory",
  format: "meaning",
  reasoning: "advisory",
  verbosity: "advisory",
  modalities: "meaning",
  cacheKey: "advisory",
  serviceTier: "advisory",
  metadata: "advisory"
}

const names: { readonly [feature in Feature]?: string } = {
  maxOutput: "max_tokens",
  temperature: "temperature",
  topP: "top_p",
  stop: "stop",
  seed: "seed",
  presencePenalty: "presence_penalty",
  frequencyPenalty: "frequency_penalty",
  choices: "n",
  logprobs: "logprobs",
  user: "user"
}

const numbers: Readonly<
  Record<
    string,
    "maxOutput" | "temperature" | "topP" | "seed" | "presencePenalty" | "frequencyPenalty" | "choices" | "logprobs"
  >
> = {
  max_tokens: "maxOutput",
  temperature: "temperature",
  top_p: "topP",
  seed: "seed",
  presence_penalty: "presencePenalty",
  frequency_penalty: "frequencyPenalty",
  n: "choices",
  logprobs: "logprobs"
}

const apart: ReadonlySet<string> = new Set(["model", "prompt", "stream", "stop", "user", "stream_options"])

/** One text, or a list of one; several, and ids of tokens, are no conversation. */
const promptOf = (prompt: unknown): string | undefined => {
  if (typeof prompt === "string") return prompt
  return Array.isArray(prompt) && prompt.length === 1 ? asString(prompt[0]) : undefined
}

const readRequest = (body: JsonObject, given?: Given): Either.Either<Conversation, ReadonlyArray<Problem>> => {
  const problems: Array<Problem> = []
  const settings: { -readonly [name in keyof Settings]: Settings[name] } = {}
  const extra: Record<string, unknown> = {}
  const spelt: Record<string, unknown> = {}
  const text = promptOf(body.prompt)
  if (text === undefined) {
    problems.push({
      path: "prompt",
      expected: "expected one text: several, or ids of tokens, only their own dialect takes"
    })
  }
  if (typeof body.prompt !== "string") spelt.prompt = body.prompt
  for (const name in body) {
    if (apart.has(name)) continue
    const value = body[name]
    const setting = Object.hasOwn(numbers, name) ? numbers[name] : undefined
    if (setting === undefined || !isGiven(value)) extra[name] = value
    else {
      const read = asNumber(value)
      if (read === undefined) problems.push({ path: name, expected: "expected a number" })
      // Zero alternatives are the chosen tokens' own probabilities.
      else settings[setting] = read
    }
  }
  for (const name of ["stop", "user", "stream_options"]) if (name in body) spelt[name] = body[name]
  const stop = asStrings(body.stop)
  if (stop !== undefined) settings.stop = stop
  const user = asString(body.user)
  if (user !== undefined) settings.user = user
  if (asBoolean(body.stream) === undefined) spelt.stream = body.stream
  if (problems.length > 0 || text === undefined) return Either.left(problems)
  return Either.right({
    origin: "completions",
    model: given?.model ?? asString(body.model) ?? "",
    stream: given?.stream ?? body.stream === true,
    turns: [{ role: "user", parts: [{ type: "text", text }], at: 0, isBare: true }],
    tools: [],
    settings,
    extra,
    spelt
  })
}

const speakers = { user: "User", assistant: "Assistant" } as const

/** A text that goes on where the conversation ends; of one turn it is the text itself. */
const asPrompt = (turns: ReadonlyArray<Turn>): string => {
  const [only] = turns
  if (turns.length === 1 && only?.role === "user") return textOf(only.parts)
  const said = turns.map((turn) => {
    const text = textOf(turn.parts)
    return isInstruction(turn) ? text : `${speakers[turn.role === "assistant" ? "assistant" : "user"]}: ${text}`
  })
  return turns.at(-1)?.role === "assistant" ? said.join("\n\n") : `${said.join("\n\n")}\n\nAssistant:`
}

const pathOf = (turn: number): string => (turn === 0 ? "prompt" : `prompt[${turn}]`)

const writeRequest = (
  conversation: Conversation,
  { dropsMeaning, model, names: said, pathOf: path = pathOf }: WriteOptions
): Either.Either<Written, ReadonlyArray<Problem>> => {
  const account = new Account(dropsMeaning)
  const { extra, origin, settings, spelt, stream, tools, turns } = conversation
  for (const turn of turns) {
    turn.parts.forEach(({ type }, at) => {
      if (type === "reasoning") account.drop(path(turn.at, at), "state")
      else if (type !== "text" && type !== "refusal") {
        account.lacks("meaning", path(turn.at, at), "a completion goes on from text alone")
      }
    })
  }
  if (tools.length > 0) account.lacks("meaning", said?.tools ?? "tools", "a completion calls no tools")
  const body: Record<string, unknown> = { model, prompt: asPrompt(turns), stream }
  for (const name in numbers) {
    const setting = numbers[name]
    const value = setting === undefined ? undefined : settings[setting]
    if (value !== undefined) body[name] = value === true ? 0 : value
  }
  if (settings.stop !== undefined) body.stop = settings.stop
  if (settings.user !== undefined) body.user = settings.user
  if (origin === "completions") {
    Object.assign(body, extra, spelt)
    for (const name in spelt) if (spelt[name] === undefined) delete body[name]
  } else if (stream) body.stream_options = { include_usage: true }
  return account.problems.length > 0 ? Either.left(account.problems) : Either.right({ body, dropped: account.dropped })
}

const idOf = (id: string | undefined, options: AnswerOptions): string =>
  id === undefined || /^(?:msg_|resp_|chatcmpl-)/.test(id) ? `cmpl-${options.id}` : id

/** Completions know two ways to end, and the filter's. */
const writeFinish = (finish: Finish): string =>
  finish === "length" || finish === "context"
    ? "length"
    : finish === "filter" || finish === "refusal"
      ? "content_filter"
      : finish === "error" || finish === "malformedCall"
        ? "error"
        : "stop"

const writeAnswer = (answer: Answer, options: AnswerOptions): JsonObject => ({
  id: idOf(answer.id, options),
  object: "text_completion",
  created: answer.created ?? options.created,
  model: answer.model ?? options.conversation.model,
  choices: answer.choices.map(({ finish, logprobs, parts }, index) => ({
    text: textOf(parts, ""),
    index,
    logprobs: logprobs ?? null,
    finish_reason: finish === undefined ? null : writeFinish(finish)
  })),
  ...(answer.usage === undefined ? {} : { usage: writeTokens(answer.usage) }),
  ...answer.extra
})

class Writer implements EventWriter {
  private head: JsonObject
  private usage: Tokens | undefined
  private isEnded = false
  private readonly open = new Map<number, boolean>()

  constructor(private readonly options: AnswerOptions) {
    const { conversation, created } = options
    this.head = { id: idOf(undefined, options), object: "text_completion", created, model: conversation.model }
  }

  private piece(index: number, text: string, finish: string | null, logprobs: unknown, tell: Tell<WireEvent>): void {
    tell({ json: { ...this.head, choices: [{ text, index, logprobs: logprobs ?? null, finish_reason: finish }] } })
  }

  write(event: AnswerEvent, tell: Tell<WireEvent>): void {
    switch (event.type) {
      case "start": {
        const { created, extra, id, model } = event
        this.head = {
          ...this.head,
          id: idOf(id, this.options),
          ...(created === undefined ? {} : { created }),
          ...(model === undefined ? {} : { model }),
          ...extra
        }
        return
      }
      case "text":
      case "refusal":
        this.open.set(event.choice, true)
        return this.piece(event.choice, event.text, null, event.type === "text" ? event.logprobs : undefined, tell)
      case "finish":
        if (this.open.get(event.choice) === false) return
        this.open.set(event.choice, false)
        return this.piece(event.choice, "", writeFinish(event.finish), undefined, tell)
      case "usage":
        this.usage = event.usage
        return
      case "error":
        this.isEnded = true
        return tell(errorEvent(event.error))
      default:
    }
  }

  end(tell: Tell<WireEvent>): void {
    if (this.isEnded) return
    this.isEnded = true
    if (this.open.size === 0) this.open.set(0, true)
    for (const [index, isOpen] of this.open) if (isOpen) this.piece(index, "", "stop", undefined, tell)
    if (this.options.wantsUsage === true && this.usage !== undefined) {
      tell({ json: { ...this.head, choices: [], usage: writeTokens(this.usage) } })
    }
  }
}

/** The dialect; what routing reads of it is core's. */
export const completions: Translator & Dialect = {
  ...openAi,
  name: "completions",
  readRequest,
  writeRequest,
  readAnswer: (body) =>
    Array.isArray(body.choices) && body.choices.some((choice) => isJsonObject(choice))
      ? readAnswer(body)
      : Either.left("expected a list of choices"),
  writeAnswer,
  eventReader,
  eventWriter: (options) => new Writer(options),
  readError,
  writeError,
  errorEvent,
  readTokens,
  writeTokens,
  readFinish,
  writeFinish,
  defaults: (given) => given,
  fields,
  lacks,
  names,
  pathOf,
  edit
}
