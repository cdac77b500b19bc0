/**
 * The conformance matrix: a caller's dialect over a provider's, feature by feature. Each cell is carried out here; the test
 * compares it with what is expected, and the document is written from it.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent } from "@switchyard/dialects/Answer"
import { AnswerFold } from "@switchyard/dialects/AnswerFold"
import { chat } from "@switchyard/dialects/Chat"
import { cohere } from "@switchyard/dialects/Cohere"
import type { Part } from "@switchyard/dialects/Conversation"
import { converse } from "@switchyard/dialects/Converse"
import { gemini } from "@switchyard/dialects/Gemini"
import { messages } from "@switchyard/dialects/Messages"
import { ollama } from "@switchyard/dialects/Ollama"
import * as Pair from "@switchyard/dialects/Pair"
import { responses } from "@switchyard/dialects/Responses"
import * as Tokens from "@switchyard/dialects/Tokens"
import type { AnswerOptions, Target, Translator, WireEvent } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import { answers, errors, type Provider, type Said, type Saying } from "./answers.js"
import { type Asked, asked } from "./asked.js"
import { type Asking, pixel, samples } from "./samples.js"

/** Callers' dialects. */
export const callers: Readonly<Record<"chat" | "messages" | "responses" | "gemini", Translator>> = {
  chat,
  messages,
  responses,
  gemini
}
/** A caller's dialect. */
export type Caller = keyof typeof callers

/** Providers' dialects. */
export const providers: Readonly<Record<Provider, Target>> = {
  chat,
  messages,
  responses,
  gemini,
  converse,
  cohere,
  ollama
}

/** Features of the matrix. */
export const features = [
  "chat",
  "stream",
  "tools",
  "parallel tools",
  "images",
  "structured output",
  "reasoning",
  "errors",
  "usage"
] as const
/** A feature. */
export type Feature = (typeof features)[number]

/** What came of a cell: it works, or it cannot be said, with the field that is refused; or it is wrong, and how. */
export type Verdict =
  | { readonly _tag: "works" }
  | { readonly _tag: "cannot"; readonly fields: ReadonlyArray<string> }
  | { readonly _tag: "wrong"; readonly why: string }

const works: Verdict = { _tag: "works" }
const wrong = (why: string): Verdict => ({ _tag: "wrong", why })

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const expectations: Readonly<Record<Asking, (asked: Asked, target: Provider) => string | undefined>> = {
  chat: ({ bound, system, user }) =>
    system.includes("Be brief.") && user.some((text) => text.includes("Hi")) && bound === 4000
      ? undefined
      : `instructions ${system}, user ${user.join()}, bound ${String(bound)}`,
  tools: ({ mustCall, tools }, target) =>
    same(tools, ["weather"]) && (mustCall || target === "ollama") ? undefined : `tools ${tools.join()}, ${mustCall}`,
  "parallel tools": ({ results }) =>
    same(results, { Oslo: "3", Rome: "30" }) ? undefined : `results ${JSON.stringify(results)}`,
  images: ({ images }) => (same(images, [pixel]) ? undefined : `${images.length} images`),
  "structured output": ({ schema }) => (same(schema, ["warm"]) ? undefined : `schema of ${schema.join()}`),
  reasoning: ({ reasons }) => (reasons ? undefined : "no reasoning is asked for")
}

/** Of Bedrock's models only some reason. */
const modelOf = (provider: Provider): string =>
  provider === "converse" ? "eu.anthropic.claude-sonnet-4-5-20250929-v1:0" : "m-1"

const asks = (caller: Caller, provider: Provider, asking: Asking): Verdict => {
  const origin = callers[caller]
  const read = Pair.read(origin, samples[caller][asking], { model: "m" })
  if (Either.isLeft(read)) return wrong(`not read: ${JSON.stringify(read.left)}`)
  const written = Pair.write(read.right, origin, providers[provider], { model: modelOf(provider) })
  if (Either.isLeft(written)) return { _tag: "cannot", fields: written.left.map(({ path }) => path) }
  const missing = expectations[asking](asked[provider](written.right.body), provider)
  return missing === undefined ? works : wrong(missing)
}

const optionsOf = (caller: Caller, asking: Asking): AnswerOptions => ({
  conversation: Either.getOrThrow(Pair.read(callers[caller], samples[caller][asking], { model: "m", stream: true })),
  id: "abcdefghijklmnopqrstuvwx",
  created: 1_700_000_000,
  wantsUsage: true
})

/** What a caller reads, by its own dialect's reader. */
interface Heard {
  readonly text: string
  readonly thoughts: string
  readonly calls: ReadonlyArray<string>
  readonly finish: string | undefined
  readonly usage: Tokens.Tokens | undefined
}

const textOf = (parts: ReadonlyArray<Part>, type: "text" | "reasoning"): string =>
  parts.map((part) => (part.type === type ? part.text : "")).join("")

const callsOf = (parts: ReadonlyArray<Part>): ReadonlyArray<string> =>
  parts.flatMap((part) =>
    part.type === "toolCall" ? [`${part.name} ${JSON.stringify(JSON.parse(part.arguments))}`] : []
  )

const heard = (answer: ReturnType<AnswerFold["answer"]>): Heard => {
  const [first] = answer.choices
  const parts = first?.parts ?? []
  return {
    text: textOf(parts, "text"),
    thoughts: textOf(parts, "reasoning"),
    calls: callsOf(parts),
    finish: first?.finish,
    usage: answer.usage
  }
}

const whole = (caller: Caller, provider: Provider, said: Said, asking: Asking): Either.Either<Heard, string> =>
  Either.flatMap(Pair.answer(said.whole, callers[caller], providers[provider], optionsOf(caller, asking)), (body) =>
    Either.map(callers[caller].readAnswer(body), heard)
  )

const streamed = (caller: Caller, provider: Provider, said: Said, asking: Asking): Heard => {
  const bridge = Pair.events(callers[caller], providers[provider], optionsOf(caller, asking))
  const reader = callers[caller].eventReader()
  const fold = new AnswerFold()
  const take = (step: AnswerEvent): void => fold.add(step)
  const tell = ({ event, json }: WireEvent): void =>
    reader.read(JSON.parse(JSON.stringify(json)) as JsonObject, take, event)
  for (const { event, json } of said.events) bridge.read(json, tell, event)
  bridge.end(tell)
  return heard(fold.answer())
}

const expected: Readonly<Record<Saying, Omit<Heard, "usage">>> = {
  text: { text: "Hello there", thoughts: "", calls: [], finish: "stop" },
  calls: {
    text: "",
    thoughts: "",
    calls: ['weather {"city":"Oslo"}', 'weather {"city":"Rome"}'],
    finish: "toolCalls"
  },
  thoughts: { text: "Hello there", thoughts: "Let me see.", calls: [], finish: "stop" }
}

const hears = (
  caller: Caller,
  provider: Provider,
  saying: Saying,
  asking: Asking,
  how: "whole" | "stream"
): Verdict => {
  const said = answers[provider][saying]
  const got =
    how === "whole" ? whole(caller, provider, said, asking) : Either.right(streamed(caller, provider, said, asking))
  if (Either.isLeft(got)) return wrong(got.left)
  const { usage: _, ...told } = got.right
  return same(told, expected[saying]) ? works : wrong(`${how}: ${JSON.stringify(told)}`)
}

/** Cached tokens are told by all who have a cache for their prompts. */
const cached = (provider: Provider): number => (provider === "cohere" || provider === "ollama" ? 0 : 5)

const counts = (caller: Caller, provider: Provider): Verdict => {
  const said = answers[provider].text
  const each = [whole(caller, provider, said, "chat"), Either.right(streamed(caller, provider, said, "chat"))]
  for (const got of each) {
    const usage = Either.isRight(got) ? got.right.usage : undefined
    if (usage === undefined) return wrong("no usage")
    const figures = [Tokens.input(usage), usage.cacheRead, Tokens.output(usage)]
    if (!same(figures, [20, cached(provider), 7])) return wrong(`figures ${figures.join()}`)
  }
  return works
}

const fails = (caller: Caller, provider: Provider): Verdict => {
  const body = Pair.error(errors[provider], callers[caller], providers[provider])
  if (body === undefined) return wrong("the error is not seen as one")
  const read = callers[caller].readError(body)
  return read?.message === "Slow down" ? works : wrong(JSON.stringify(body))
}

const firstBad = (...verdicts: ReadonlyArray<Verdict>): Verdict =>
  verdicts.find(({ _tag }) => _tag !== "works") ?? works

/** Carries a cell out. */
export const carryOut = (caller: Caller, provider: Provider, feature: Feature): Verdict => {
  switch (feature) {
    case "chat":
      return firstBad(asks(caller, provider, "chat"), hears(caller, provider, "text", "chat", "whole"))
    case "stream":
      return hears(caller, provider, "text", "chat", "stream")
    case "tools":
      return asks(caller, provider, "tools")
    case "parallel tools":
      return firstBad(
        asks(caller, provider, "parallel tools"),
        hears(caller, provider, "calls", "tools", "whole"),
        hears(caller, provider, "calls", "tools", "stream")
      )
    case "reasoning":
      return firstBad(
        asks(caller, provider, "reasoning"),
        hears(caller, provider, "thoughts", "reasoning", "whole"),
        hears(caller, provider, "thoughts", "reasoning", "stream")
      )
    case "errors":
      return fails(caller, provider)
    case "usage":
      return counts(caller, provider)
    default:
      return asks(caller, provider, feature)
  }
}
