/**
 * What providers do beside answering: they count the tokens of a request, and keep answers. It goes past the tower, over the same
 * transport and in the same name.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { Counted, SideAnswer, SideCalls } from "@switchyard/core/SideCalls"
import type { DialectName } from "@switchyard/dialects/Conversation"
import * as GeminiCounts from "@switchyard/dialects/GeminiCounts"
import { countRequest } from "@switchyard/dialects/Messages"
import * as Pair from "@switchyard/dialects/Pair"
import { type Clock, type Context, Effect, Either } from "effect"
import { Accounts } from "../auth/accounts.js"
import { classify, fromTransport, malformed } from "../errors/ErrorClassifier.js"
import { protocolOf } from "../protocols/all.js"
import { openai } from "../protocols/openai.js"
import type { Ask, Env } from "../protocols/protocol.js"
import { headersOf, type OutgoingHeaders, type Target, targetOf } from "../protocols/target.js"
import { projectMark } from "../protocols/vertex.js"
import { dialectOf } from "../translation/conversations.js"
import { dialects } from "../translation/dialects.js"
import type { Transport, TransportRequest } from "../transport/Transport.js"

const environment: Env = (globalThis as { readonly process?: { readonly env?: Env } }).process?.env ?? {}

/** Bytes of an answer: a kept one may hold pictures. */
const maxAnswer = 64 * 1024 * 1024
const connectTimeout = 5_000

/** Fields that the counter of Responses takes; it refuses all else. */
const responsesCounted: ReadonlySet<string> = new Set([
  "model",
  "input",
  "instructions",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "text",
  "reasoning",
  "previous_response_id",
  "conversation",
  "truncation"
])

const only = (names: ReadonlySet<string>, body: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(body).filter(([name]) => names.has(name)))

/** A request as a counter takes it. */
const countable = (dialect: DialectName, body: JsonObject, ask: Ask, protocol: string): JsonObject => {
  switch (dialect) {
    case "messages":
      return { ...countRequest(body), model: ask.model }
    case "responses":
      return { ...only(responsesCounted, body), model: ask.model }
    case "gemini":
      return GeminiCounts.writeRequest(GeminiCounts.readRequest(body), ask.model, protocol !== "gemini")
    default:
      return body
  }
}

const tokensIn = (body: JsonObject): number | undefined => {
  const tokens = body.input_tokens ?? body.totalTokens ?? body.inputTokens
  return typeof tokens === "number" && tokens >= 0 ? tokens : undefined
}

/** Statuses of a kept answer that say something of it, and so are its reader's to know. */
const ofKept: ReadonlySet<number> = new Set([400, 404, 409, 422])
const none: ReadonlySet<number> = new Set()

/** How an answer is taken. */
interface Manner {
  readonly clock: Clock.Clock
  /** Failures that are handed on as they are. */
  readonly passed: ReadonlySet<number>
}

/** Where a deployment's counter is, and how it is asked. */
interface Counter {
  readonly ask: Ask
  readonly path: string
  readonly dialect: DialectName
}

/** Options of the calls. */
export interface Options {
  /** Base URLs by provider label, for deployments without one. Known anyway: `openai`. */
  readonly baseUrls?: Readonly<Record<string, string>>
}

/** The calls over a transport. */
export const make = (transport: Context.Tag.Service<Transport>, options: Options = {}): SideCalls => {
  const baseUrls = { openai: "https://api.openai.com/v1", ...options.baseUrls }
  const accounts = new Accounts(environment)
  const targets = new WeakMap<Deployment, Target>()

  const targetFor = (deployment: Deployment): Target | undefined => {
    const known = targets.get(deployment)
    if (known !== undefined) return known
    const made = targetOf(protocolOf(deployment.protocol) ?? openai, deployment, baseUrls, environment)
    if ("problem" in made) return undefined
    targets.set(deployment, made)
    return made
  }

  const send = (
    deployment: Deployment,
    request: Pick<TransportRequest, "method" | "origin" | "path" | "headers" | "body">,
    secrets: ReadonlyArray<string>,
    { clock, passed }: Manner
  ): Effect.Effect<SideAnswer, LlmError> =>
    Effect.async((resume) => {
      const upstream = { provider: deployment.provider, deployment: deployment.id, secrets }
      const decoder = new TextDecoder()
      let text = ""
      let status = 0
      let size = 0
      let given: Readonly<Record<string, string>> = {}
      const handle = transport.send(
        { ...request, connectTimeout, tls: deployment.tls },
        {
          onHeaders: (code, headers) => {
            status = code
            given = headers
          },
          onData: (chunk) => {
            size += chunk.length
            if (size <= maxAnswer) {
              text += decoder.decode(chunk, { stream: true })
              return
            }
            handle.abort()
            resume(Effect.fail(malformed("the answer is too large", upstream)))
          },
          onEnd: () => {
            const body = parsed(text)
            const wallNowMs = clock.unsafeCurrentTimeMillis()
            if (status >= 300 && !(body !== undefined && passed.has(status))) {
              const answer = { ...upstream, status, headers: given, body: text, wallNowMs }
              return resume(Effect.fail(classify(answer)))
            }
            if (body === undefined) return resume(Effect.fail(malformed("the answer is not a JSON object", upstream)))
            resume(Effect.succeed({ status, body }))
          },
          onError: (error) => resume(Effect.fail(fromTransport(error, upstream)))
        }
      )
      return Effect.sync(() => handle.abort())
    })

  /** Sends in the deployment's name: by its key, or by the account of its cloud. */
  const call = (
    deployment: Deployment,
    target: Target,
    { headers, secrets }: OutgoingHeaders,
    request: Pick<TransportRequest, "method" | "path"> & { readonly body: string | Uint8Array },
    manner: Manner
  ): Effect.Effect<SideAnswer, LlmError> => {
    const whole = { ...request, origin: target.origin, headers }
    if (target.cloud === undefined) return send(deployment, whole, secrets, manner)
    return Effect.flatMap(
      accounts.show(target.cloud, deployment, { ...whole, method: "POST" }, manner.clock),
      ({ headers: more, project, secrets: own }) =>
        send(
          deployment,
          {
            ...whole,
            headers: { ...headers, ...more },
            path: project === undefined ? request.path : request.path.replace(projectMark, encodeURIComponent(project))
          },
          [...own, ...secrets],
          manner
        )
    )
  }

  const counterOf = (target: Target, deployment: Deployment, model: string, own: DialectName): Counter | undefined => {
    const spoken = target.protocol.dialects(deployment, model)
    for (const dialect of [...spoken.filter((name) => name === own), ...spoken]) {
      const ask: Ask = { model, operation: "count", stream: false, dialect }
      const path = target.path(ask)
      if (path !== undefined) return { ask, path, dialect }
    }
    return undefined
  }

  const bodyFor = (
    { ask, dialect }: Counter,
    target: Target,
    request: LlmRequest,
    own: DialectName
  ): JsonObject | undefined => {
    if (dialect === own) return countable(dialect, request.body, ask, target.protocol.name)
    const origin = dialects.origins[own]
    const translator = dialects.targets[dialect]
    if (origin === undefined || translator === undefined) return undefined
    const read = Pair.read(origin, request.body, { model: request.model, stream: false })
    if (Either.isLeft(read)) return undefined
    const written = Pair.write(read.right, origin, translator, { model: ask.model, dropsMeaning: true })
    return Either.isLeft(written) ? undefined : countable(dialect, written.right.body, ask, target.protocol.name)
  }

  const count: SideCalls["count"] = (deployment, model, request) => {
    const target = targetFor(deployment)
    if (target === undefined) return undefined
    const own = dialectOf(request)
    const counter = counterOf(target, deployment, model, own)
    if (counter === undefined) return undefined
    const body = bodyFor(counter, target, request, own)
    const outgoing = headersOf(
      target,
      { ...request, stream: false },
      undefined,
      counter.dialect === own ? undefined : ""
    )
    if (body === undefined || "bad" in outgoing) return undefined
    const fitted: Record<string, unknown> = { ...body }
    target.protocol.fit?.(fitted, counter.ask, deployment)
    const sent = target.protocol.counted?.(fitted, counter.ask) ?? fitted
    return Effect.flatMap(
      Effect.clockWith((clock) =>
        call(
          deployment,
          target,
          outgoing,
          { method: "POST", path: counter.path, body: JSON.stringify(sent) },
          { clock, passed: none }
        )
      ),
      ({ body: said }): Effect.Effect<Counted, LlmError> => {
        const tokens = tokensIn(said)
        return tokens === undefined
          ? Effect.fail(new LlmError({ reason: "MalformedResponse", description: "a count without a number" }))
          : Effect.succeed({
              tokens,
              body: counter.dialect === own && target.protocol.counted === undefined ? said : undefined
            })
      }
    )
  }

  const kept: SideCalls["kept"] = (deployment, { id, method, part, query }) => {
    const target = targetFor(deployment)
    const { model } = deployment
    if (target?.protocol.dialects(deployment, model).includes("responses") !== true) return undefined
    const path = target.path({ model, operation: "chat", stream: false, dialect: "responses" })
    if (path === undefined) return undefined
    const [base = "", own = ""] = path.split("?", 2)
    const queries = [own, query.slice(1)].filter((text) => text !== "").join("&")
    const where = `${base}/${encodeURIComponent(id)}${part === undefined ? "" : `/${part}`}`
    const request = { method, path: queries === "" ? where : `${where}?${queries}`, body: "" }
    return Effect.clockWith((clock) => call(deployment, target, target.plain, request, { clock, passed: ofKept }))
  }

  return { count, kept }
}

const parsed = (text: string): JsonObject | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
