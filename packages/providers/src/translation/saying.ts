/**
 * How a request is said to a deployment: as it is, where the provider speaks the caller's dialect, or translated. A payload is
 * read once, however often it is tried.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { Deployment } from "@switchyard/core/Deployment"
import { stringify } from "@switchyard/core/ExactJson"
import { arrayOf, type JsonObject } from "@switchyard/core/Json"
import { estimateInputTokens, type LlmRequest } from "@switchyard/core/LlmRequest"
import { openAi } from "@switchyard/core/OpenAi"
import { isMedia } from "@switchyard/core/Operation"
import * as Payload from "@switchyard/core/Payload"
import * as StateOrigins from "@switchyard/core/StateOrigins"
import type { DialectName } from "@switchyard/dialects/Conversation"
import * as Pair from "@switchyard/dialects/Pair"
import type { Dropped, Problem } from "@switchyard/dialects/Problem"
import type { Target as TargetDialect, Translator, WriteOptions } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import type { AwsDecoder } from "../auth/awsMessage.js"
import type { Ask, Protocol, Stamp } from "../protocols/protocol.js"
import { betaHeader } from "../protocols/target.js"
import type { Fetched } from "../transport/mediaFetcher.js"
import { betasFor } from "./betas.js"
import { fitCloud } from "./cloudFields.js"
import { Conversations, dialectOf, whole, wholeOf } from "./conversations.js"
import type { Dialects } from "./dialects.js"
import { embedding } from "./embeddings.js"
import * as GoogleEmbeddings from "./googleEmbeddings.js"
import { habitsOf } from "./habits.js"
import { lay } from "./lay.js"
import * as Media from "./media.js"
import type { Saying } from "./outgoing.js"
import { passage } from "./passage.js"
import { encode, refusesUsage } from "./payload.js"
import { shaped } from "./shaped.js"
import { refusesSignatures } from "./signatures.js"
import { speakMedia } from "./speakMedia.js"
import { translated } from "./translated.js"

export type { Saying, Stamp }

type Json = string | Uint8Array
type Body = Record<string, unknown>

/** Why a request cannot be said: fields that the provider's dialect cannot express, or that are wrong. */
export type Unsayable = ReadonlyArray<Problem>

const nothing: ReadonlyArray<Dropped> = []
const oneProblem = (path: string, expected: string): Unsayable => [{ path, expected }]

/** Beta features that a deployment is told of without a caller's header. */
const told = ({ headers }: Deployment, body: Body): ReadonlyArray<string> => [
  ...arrayOf(body.anthropic_beta).map(String),
  ...Object.entries(headers).flatMap(([name, value]) =>
    name.toLowerCase() === betaHeader ? value.split(/\s*,\s*/) : []
  )
]

const json = (body: Body, { exact }: LlmRequest): Json =>
  exact === undefined ? JSON.stringify(body) : stringify(body, exact)

const boundIn = ({ max_completion_tokens, max_tokens }: Deployment["defaults"]): number | undefined => {
  const bound = max_completion_tokens ?? max_tokens
  return typeof bound === "number" ? bound : undefined
}

/** Says requests, and remembers what it has read. */
export class Sayings {
  private readonly conversations = new Conversations()
  private readonly book = new Payload.ParameterBook()
  /** Deployments with their defaults in a dialect's own words. */
  private readonly inDialects = new WeakMap<Deployment, Map<DialectName, Deployment>>()
  /** Deployments that have refused to be asked for usage in a stream, and answer without that. */
  private readonly refuseUsage = new WeakSet<Deployment>()

  constructor(private readonly dialects: Dialects) {}

  /** What is known of an attempt's parameters. */
  parametersOf(attempt: Attempt): Payload.Parameters {
    return this.book.of(attempt)
  }

  /** Whether an attempt's provider speaks the caller's dialect. */
  isNative(protocol: Protocol, attempt: Attempt): boolean {
    if (isMedia(attempt.request.operation)) return true
    return protocol.dialects(attempt.target, attempt.model).includes(dialectOf(attempt.request))
  }

  /** Media that the caller names by its URL, and the provider would only take as bytes. */
  wanted(protocol: Protocol, { model, request, target: deployment }: Attempt): ReadonlyArray<Media.Wanted> {
    const origin = this.dialects.origins[dialectOf(request)]
    const target = this.dialects.targets[protocol.dialects(deployment, model)[0] ?? "chat"]
    if (origin === undefined || target === undefined || request.operation === "embeddings") return []
    const reading = this.conversations.of(request, origin)
    return Either.isLeft(reading) ? [] : Media.wanted(reading.right, origin, target, model)
  }

  /** Puts the bytes of media in the place of their URLs. */
  fill(request: LlmRequest, fetched: ReadonlyMap<string, Fetched>): void {
    const origin = this.dialects.origins[dialectOf(request)]
    const reading = origin === undefined ? undefined : this.conversations.of(request, origin)
    if (reading !== undefined && Either.isRight(reading)) {
      this.conversations.is(request, Media.withBytes(reading.right, fetched))
    }
  }

  /** Says an attempt's request. */
  of(protocol: Protocol, attempt: Attempt, stamp: () => Stamp, decodeAws: AwsDecoder | undefined): Saying | Unsayable {
    const { model, request, target } = attempt
    if (isMedia(request.operation)) return speakMedia(protocol, attempt, this.book.of(attempt))
    const spoken = protocol.dialects(target, model)
    const own = dialectOf(request)
    if (request.operation === "embeddings") return this.embeddings(protocol, attempt, spoken)
    if (!this.isNative(protocol, attempt))
      return this.translate(protocol, attempt, own, spoken[0] ?? "chat", stamp(), decodeAws)
    const ask: Ask = { model, operation: request.operation, stream: request.stream, dialect: own }
    return request.dialect === undefined
      ? this.chat(protocol, attempt, ask, decodeAws, stamp)
      : this.pass(protocol, attempt, ask, decodeAws)
  }

  /** OpenAI's own words to who speaks them. */
  private chat(protocol: Protocol, attempt: Attempt, ask: Ask, decodeAws?: AwsDecoder, stamp?: () => Stamp): Saying {
    const { target } = attempt
    const parameters = this.book.of(attempt)
    const asksForUsage = !this.refuseUsage.has(target)
    const fit =
      protocol.fit === undefined
        ? undefined
        : (body: Body) => {
            if (protocol.shape !== undefined) Object.assign(body, whole(body, attempt.request.exact))
            protocol.fit?.(body, ask, target)
          }
    const framing = protocol.framing?.(ask) ?? "sse"
    const shape = stamp === undefined ? undefined : protocol.shape?.(ask, target, stamp())
    return {
      ask,
      body: encode(attempt, parameters, asksForUsage, fit),
      plainer:
        asksForUsage && Payload.addsUsage(attempt)
          ? {
              isRefused: refusesUsage,
              body: () => encode(attempt, parameters, false, fit),
              worked: () => void this.refuseUsage.add(target)
            }
          : undefined,
      hearing:
        framing === "sse" && shape === undefined ? undefined : shaped(passage(openAi, framing, decodeAws), shape),
      dropped: nothing,
      betas: undefined
    }
  }

  /** The caller's dialect, as it is but for what is known to be ours to set. */
  private pass(protocol: Protocol, attempt: Attempt, ask: Ask, decodeAws: AwsDecoder | undefined): Saying | Unsayable {
    const { model, request, target } = attempt
    const { dialect = openAi } = request
    const origin = this.dialects.origins[ask.dialect]
    const sending = { model, request, target: this.inDialect(target, ask.dialect, origin) }
    const isForeign = StateOrigins.foreignTo(request, target).size > 0
    const bare = origin === undefined ? undefined : () => this.unsigned(attempt, origin)
    const betas = this.betasOf(protocol, request)
    let left: ReadonlyArray<string> = []
    const finish = (given: Body): Json => {
      const edits = { model, stream: request.stream, defaults: {} }
      const body: Body = { ...(origin === undefined ? given : origin.edit(given, edits)) }
      if (betas !== undefined && protocol.betasInBody === true && betas.kept.length > 0)
        body.anthropic_beta ??= betas.kept
      if (protocol.betas !== undefined && ask.dialect === "messages") {
        left = fitCloud(body, [...(betas?.kept ?? []), ...told(target, body)])
      }
      protocol.fit?.(body, ask, target)
      return json(body, request)
    }
    const own = Payload.ofAttempt(sending, this.book.of(sending))
    const unsigned = isForeign ? bare?.() : undefined
    let plain: Body | undefined
    const said = finish(unsigned?.body ?? own)
    const foreign = left.map((path): Dropped => ({ path, reason: "advisory" }))
    return {
      ask,
      body: said,
      plainer:
        bare === undefined || unsigned !== undefined
          ? undefined
          : {
              isRefused: (status, said) => {
                if (!refusesSignatures(status, said)) return false
                plain = bare()?.body
                return plain !== undefined
              },
              body: () => finish(plain ?? own),
              worked: () => {}
            },
      hearing: passage(dialect, protocol.framing?.(ask) ?? "sse", decodeAws),
      dropped: [...(unsigned?.dropped ?? nothing), ...this.droppedBetas(betas), ...foreign],
      betas: betas === undefined || protocol.betasInBody === true ? "" : betas.kept.join(",")
    }
  }

  /** The request without what another account, or another provider, has signed; undefined where it cannot be read. */
  private unsigned(
    { model, request, target }: Attempt,
    origin: Translator
  ): { readonly body: Body; readonly dropped: ReadonlyArray<Dropped> } | undefined {
    const reading = this.conversations.of(request, origin)
    if (Either.isLeft(reading)) return undefined
    const written = origin.writeRequest(reading.right, { model, knowsSignatures: false })
    if (Either.isLeft(written)) return undefined
    const { defaults } = this.inDialect(target, origin.name, origin)
    return { body: lay(defaults, written.right.body), dropped: written.right.dropped }
  }

  /** Another dialect. */
  private translate(
    protocol: Protocol,
    attempt: Attempt,
    own: DialectName,
    dialect: DialectName,
    stamp: Stamp,
    decodeAws: AwsDecoder | undefined
  ): Saying | Unsayable {
    const { model, request, target: deployment } = attempt
    const origin = this.dialects.origins[own]
    const target = this.dialects.targets[dialect]
    if (origin === undefined || target === undefined) {
      return oneProblem("dialect", `the provider speaks ${dialect}, and nobody here translates ${own} into that`)
    }
    const reading = this.conversations.of(request, origin)
    if (Either.isLeft(reading)) return reading.left
    const conversation = reading.right
    const maxOutput = boundIn(deployment.defaults)
    const options: WriteOptions = {
      model,
      dropsMeaning: request.overrides.dropParams ?? deployment.dropParams,
      ...(maxOutput === undefined ? {} : { maxOutput }),
      ...habitsOf(deployment, model),
      knowsSignatures: StateOrigins.foreignTo(request, deployment).size === 0
    }
    const written = Pair.write(conversation, origin, target, options)
    if (Either.isLeft(written)) return written.left
    const ask: Ask = { model, operation: "chat", stream: request.stream, dialect }
    const finish = (body: Body): Json => this.finished(protocol, attempt, ask, target, body)
    const { dialect: spoken = openAi } = request
    const said = { conversation, ...stamp, wantsUsage: true, estimateInput: () => estimateInputTokens(request) }
    let plain: Body | undefined
    return {
      ask,
      body: finish(written.right.body),
      plainer: {
        isRefused: (status, said) => {
          if (!refusesSignatures(status, said)) return false
          const bare = Pair.write(conversation, origin, target, { ...options, knowsSignatures: false })
          plain = Either.isRight(bare) ? bare.right.body : undefined
          return plain !== undefined
        },
        body: () => finish(plain ?? {}),
        worked: () => {}
      },
      hearing: this.conversations.remembering(
        request,
        shaped(
          translated(
            { origin, target, words: spoken.answer, options: said },
            protocol.framing?.(ask) ?? "sse",
            decodeAws
          ),
          protocol.shape?.(ask, deployment, stamp)
        )
      ),
      dropped: [...written.right.dropped, ...this.foreignBetas(request)],
      betas: ""
    }
  }

  /** What is written by a translator, with the deployment's defaults below it and its own words for parameters. */
  private finished(protocol: Protocol, attempt: Attempt, ask: Ask, target: TargetDialect, written: Body): Json {
    const { model, request } = attempt
    const deployment = this.inDialect(attempt.target, ask.dialect, target)
    if (ask.dialect === "chat") {
      const { dialect: _, exact: __, ...plain } = request
      const sending = { model, request: { ...plain, operation: "chat" as const, body: written }, target: deployment }
      const asksForUsage = !this.refuseUsage.has(attempt.target)
      const body = Payload.ofAttempt(sending, this.book.of(sending), asksForUsage)
      protocol.fit?.(body, ask, attempt.target)
      return JSON.stringify(body)
    }
    const paths = [...deployment.additionalDropParams, ...(request.overrides.additionalDropParams ?? [])]
    const laid = lay(deployment.defaults, written)
    const body = paths.length === 0 ? laid : { ...Payload.withoutPaths(laid, paths) }
    protocol.fit?.(body, ask, attempt.target)
    return JSON.stringify(body)
  }

  private embeddings(protocol: Protocol, attempt: Attempt, spoken: ReadonlyArray<DialectName>): Saying | Unsayable {
    const { model, request } = attempt
    const ask: Ask = { model, operation: "embeddings", stream: false, dialect: spoken[0] ?? "chat" }
    const takesOpenAi = protocol.hasOwnEmbeddings !== true && (spoken.includes("chat") || spoken.includes("responses"))
    if (request.dialect !== undefined) {
      if (dialectOf(request) !== "gemini")
        return oneProblem("dialect", "texts are embedded for callers of other dialects")
      if (spoken.includes("gemini") && protocol.name !== "gemini") return this.pass(protocol, attempt, ask, undefined)
      const read = wholeOf(attempt)
      const made = spoken.includes("gemini")
        ? GoogleEmbeddings.native(read.request.body, model)
        : GoogleEmbeddings.ofGoogle(protocol.name, read, takesOpenAi)
      return "hearing" in made ? this.embedded(ask, made, { ...made.body, ...(takesOpenAi ? { model } : {}) }) : made
    }
    if (takesOpenAi) return this.chat(protocol, attempt, ask)
    const made = embedding(protocol.name, wholeOf(attempt))
    return "expected" in made ? [made] : this.embedded(ask, made, made.body)
  }

  private embedded(ask: Ask, { hearing }: GoogleEmbeddings.Embedding, body: JsonObject): Saying {
    return { ask, body: JSON.stringify(body), plainer: undefined, hearing, dropped: nothing, betas: "" }
  }

  private inDialect(deployment: Deployment, name: DialectName, dialect: TargetDialect | undefined): Deployment {
    if (dialect === undefined || Object.keys(deployment.defaults).length === 0) return deployment
    let known = this.inDialects.get(deployment)
    if (known === undefined) {
      known = new Map()
      this.inDialects.set(deployment, known)
    }
    let made = known.get(name)
    if (made === undefined) {
      made = { ...deployment, defaults: dialect.defaults(deployment.defaults) }
      known.set(name, made)
    }
    return made
  }

  private betasOf(protocol: Protocol, request: LlmRequest): ReturnType<typeof betasFor> | undefined {
    const header = request.overrides.headers?.[betaHeader]
    return header === undefined ? undefined : betasFor(protocol, header)
  }

  private droppedBetas(betas: ReturnType<typeof betasFor> | undefined): ReadonlyArray<Dropped> {
    return (betas?.dropped ?? []).map((name) => ({ path: `${betaHeader}: ${name}`, reason: "advisory" }))
  }

  private foreignBetas({ overrides }: LlmRequest): ReadonlyArray<Dropped> {
    return overrides.headers?.[betaHeader] === undefined ? nothing : [{ path: betaHeader, reason: "advisory" }]
  }
}
