/**
 * One attempt, from the request to the wire: where it goes, in whose name, what it says, and how its answer is heard.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { Deployment } from "@switchyard/core/Deployment"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { tellDropped } from "@switchyard/core/Payload"
import * as Service from "@switchyard/core/Service"
import { hasOperation } from "@switchyard/core/Serving"
import { clockHere } from "@switchyard/core/Time"
import { type Clock, type Context, Effect, Random } from "effect"
import { Accounts, type Showing } from "../auth/accounts.js"
import type { Unsigned } from "../auth/aws.js"
import { awsDecoder } from "../auth/aws.js"
import type { AwsDecoder } from "../auth/awsMessage.js"
import { MissingPackage } from "../auth/packages.js"
import { Exchange, type ExchangeSettings } from "../exchange/exchange.js"
import { guarded } from "../media/form.js"
import { protocolOf } from "../protocols/all.js"
import { openai } from "../protocols/openai.js"
import { type Cloud, environment } from "../protocols/protocol.js"
import { headersOf, type OutgoingHeaders, type Target, type TargetProblem, targetOf } from "../protocols/target.js"
import { projectMark } from "../protocols/vertex.js"
import { dialects } from "../translation/dialects.js"
import { LeftOut } from "../translation/leftOut.js"
import { type Saying, Sayings, type Stamp, type Unsayable } from "../translation/saying.js"
import { type Fetched, type FetchLimits, fetchMedia } from "../transport/mediaFetcher.js"
import type { BodySource, Transport, TransportHandle, TransportHandlers } from "../transport/Transport.js"
import { LateHandle } from "./lateHandle.js"
import { pass } from "./passing.js"

/** The deployment itself is wrong: nothing was sent, and another one may do. */
const unusable = (attempt: Attempt, { problem }: TargetProblem, code = "invalid_deployment"): LlmError =>
  new LlmError({
    reason: "Unavailable",
    description: problem,
    code,
    provider: attempt.provider,
    deployment: attempt.deployment
  })

const invalid = (attempt: Attempt, description: string): LlmError =>
  new LlmError({
    reason: "InvalidRequest",
    description,
    provider: attempt.provider,
    deployment: attempt.deployment
  })

/** Clouds whose accounts sign each request. */
const signing: ReadonlySet<Cloud> = new Set<Cloud>(["aws", "oci"])

/** Problems that a refusal names. */
const maxNamed = 8

/** The provider's dialect cannot say what is asked; another's may. */
const unsayable = (attempt: Attempt, problems: Unsayable): LlmError => {
  const [first] = problems
  return new LlmError({
    reason: "InvalidRequest",
    description: problems
      .slice(0, maxNamed)
      .map(({ expected, path }) => `${path}: ${expected}`)
      .join("; "),
    code: "dialect",
    elsewhere: true,
    ...(first === undefined ? {} : { param: first.path }),
    provider: attempt.provider,
    deployment: attempt.deployment
  })
}

const isUnsayable = (said: Saying | Unsayable): said is Unsayable => Array.isArray(said)

const stampOf = (dice: number, clock: Clock.Clock): Stamp => {
  const now = clock.unsafeCurrentTimeMillis()
  const id = Math.floor(dice * 36 ** 10).toString(36) + now.toString(36)
  return { id: id.padEnd(24, "0").slice(0, 24), created: Math.floor(now / 1000) }
}

/** Where a request goes; undefined where the provider has no such thing. */
const pathOf = (target: Target, { ask, hearing }: Saying, { aside, operation }: LlmRequest): string | undefined => {
  if (!hasOperation(target.protocol.name, operation)) return undefined
  const path = target.path(ask)
  if (aside === undefined || path === undefined) return path
  if (ask.dialect !== "responses" || hearing?.isSame !== true) return undefined
  const [base = "", query] = path.split("?", 2)
  return `${base}/${aside}${query === undefined ? "" : `?${query}`}`
}

/** What goes over the wire; `failed` is told where a file of it cannot be read. */
const bodyOf = ({ body, form }: Saying, failed: (error: LlmError) => void): string | Uint8Array | BodySource =>
  form === undefined ? body : guarded(form, failed)

/** A request on its way, before it is known in whose name it goes. */
interface Outgoing {
  readonly attempt: Attempt
  readonly clock: Clock.Clock
  readonly target: Target
  readonly path: string
  readonly outgoing: OutgoingHeaders
  readonly saying: Saying
}

/** The service that asks deployments over a transport. */
export const ask = (
  transport: Context.Tag.Service<Transport>,
  settings: ExchangeSettings,
  connectTimeout: number,
  baseUrls: Readonly<Record<string, string>>,
  /** How media are fetched for providers that take bytes only; undefined where they are not. */
  media?: FetchLimits
): Service.AttemptService => {
  const targets = new WeakMap<Deployment, Target | TargetProblem>()
  const sayings = new Sayings(dialects)
  const accounts = new Accounts(environment)
  const leftOut = new LeftOut()
  let decodeAws: AwsDecoder | undefined

  const targetFor = (deployment: Deployment): Target | TargetProblem => {
    const known = targets.get(deployment)
    if (known !== undefined) return known
    const made = targetOf(protocolOf(deployment.protocol) ?? openai, deployment, baseUrls, environment)
    targets.set(deployment, made)
    return made
  }

  const exchanged = (
    { attempt, clock, outgoing, path, saying, target }: Outgoing,
    region: Service.Region,
    showing?: Showing
  ): Service.Call => {
    const { request } = attempt
    const own = saying.headers === undefined ? outgoing.headers : { ...outgoing.headers, ...saying.headers }
    const headers = showing === undefined ? own : { ...own, ...showing.headers }
    const secrets = showing === undefined ? outgoing.secrets : [...showing.secrets, ...outgoing.secrets]
    const post = (
      body: string | Uint8Array | BodySource,
      handlers: TransportHandlers,
      shown: Readonly<Record<string, string>> = headers
    ): TransportHandle =>
      transport.send(
        {
          method: "POST",
          origin: target.origin,
          path: showing?.project === undefined ? path : path.replace(projectMark, encodeURIComponent(showing.project)),
          headers: shown,
          body,
          connectTimeout: attempt.connectTimeout ?? connectTimeout,
          tls: attempt.target.tls,
          caller: request.caller
        },
        handlers
      )
    const { plainer: plain } = saying
    const again = (handlers: TransportHandlers): TransportHandle => {
      const body = plain?.body() ?? saying.body
      if (target.cloud === undefined || !signing.has(target.cloud)) return post(body, handlers)
      // Its signature is another one, too.
      const late = new LateHandle()
      const unsigned = { method: "POST", origin: target.origin, path, headers: outgoing.headers, body }
      Effect.runCallback(accounts.show(target.cloud, attempt.target, unsigned, clock), {
        onExit: (exit) => {
          if (late.isAborted) return
          const shown = exit._tag === "Success" ? exit.value.headers : {}
          late.is(post(body, handlers, { ...outgoing.headers, ...shown }))
        }
      })
      return late
    }
    const plainer = plain === undefined ? undefined : { isRefused: plain.isRefused, send: again, worked: plain.worked }
    return Service.awaiting(region, (resume) => {
      const exchange = new Exchange(settings, attempt, clock, secrets, resume, plainer, saying.hearing)
      attempt.sent = true
      exchange.runsOn(
        post(
          bodyOf(saying, (error) => exchange.unsendable(error)),
          exchange
        )
      )
      return () => exchange.abort()
    })
  }

  const told = (attempt: Attempt, saying: Saying, call: Service.Call): Service.Call => {
    const parameters = tellDropped(attempt, sayings.parametersOf(attempt))
    const fields = saying.dropped.length === 0 ? undefined : leftOut.tell(attempt, saying.ask.dialect, saying.dropped)
    const calls = fields === undefined ? call : Effect.zipRight(fields, call)
    return parameters === undefined ? calls : Effect.zipRight(parameters, calls)
  }

  const said = (attempt: Attempt, target: Target, stamp: () => Stamp): Saying | LlmError => {
    try {
      const said = sayings.of(target.protocol, attempt, stamp, decodeAws)
      return isUnsayable(said) ? unsayable(attempt, said) : said
    } catch {
      return invalid(attempt, "the request cannot be written as JSON")
    }
  }

  const say = (
    attempt: Attempt,
    target: Target,
    clock: Clock.Clock,
    region: Service.Region,
    stamp: () => Stamp
  ): Service.Call => {
    const { request } = attempt
    const saying = said(attempt, target, stamp)
    if (saying instanceof LlmError) return Effect.fail(saying)
    const path = pathOf(target, saying, request)
    if (path === undefined) {
      return Effect.fail(
        request.aside === undefined
          ? unusable(attempt, { problem: `the provider's API has no ${request.operation}` }, "no_operation")
          : unsayable(attempt, [{ path: request.aside, expected: "a provider of Responses: no other has it" }])
      )
    }
    const outgoing = headersOf(target, request, attempt.trace, saying.betas)
    if ("bad" in outgoing)
      return Effect.fail(invalid(attempt, `the header ${JSON.stringify(outgoing.bad)} cannot be sent`))
    const sent: Outgoing = { attempt, clock, target, path, outgoing, saying }
    if (target.cloud === undefined) return told(attempt, saying, exchanged(sent, region))
    const unsigned: Unsigned = {
      method: "POST",
      origin: target.origin,
      path,
      headers: outgoing.headers,
      body: saying.body
    }
    const shown = accounts.show(target.cloud, attempt.target, unsigned, clock)
    return told(
      attempt,
      saying,
      Effect.flatMap(Service.waiting(region, shown), (showing) =>
        Effect.tapError(exchanged(sent, region, showing), ({ reason }) =>
          reason === "Authentication" ? Effect.sync(showing.refused) : Effect.void
        )
      )
    )
  }

  /** Gets the bytes of what the provider would not fetch itself. */
  const fetched = (attempt: Attempt, target: Target, limits: FetchLimits): Effect.Effect<void, LlmError> => {
    const wanted = sayings.wanted(target.protocol, attempt)
    if (wanted.length === 0) return Effect.void
    const found = new Map<string, Fetched>()
    return Effect.zipRight(
      Effect.forEach(
        wanted,
        ({ path, url }) =>
          Effect.mapBoth(fetchMedia(url, limits), {
            onSuccess: (one) => void found.set(url, one),
            onFailure: (why) => unsayable(attempt, [{ path, expected: `the provider takes bytes only: ${why}` }])
          }),
        { concurrency: 4, discard: true }
      ),
      Effect.sync(() => sayings.fill(attempt.request, found))
    )
  }

  const prepared = (attempt: Attempt): Effect.Effect<void, LlmError> =>
    Effect.tryPromise({
      try: async () => {
        decodeAws ??= await awsDecoder()
      },
      catch: (error) =>
        unusable(
          attempt,
          { problem: error instanceof Error ? error.message : "a package cannot be loaded" },
          error instanceof MissingPackage ? "missing_package" : undefined
        )
    })

  const send = (attempt: Attempt, clock: Clock.Clock, region: Service.Region): Service.Call => {
    attempt.sent = false
    const target = targetFor(attempt.target)
    if ("problem" in target) return Effect.fail(unusable(attempt, target))
    const { request } = attempt
    if (request.passage !== undefined) {
      const passing = pass({ accounts, connectTimeout, transport }, request.passage, attempt, target, clock)
      return Service.waiting(region, passing)
    }
    if (request.stream && decodeAws === undefined && target.protocol.cloud === "aws") {
      return Effect.flatMap(Service.waiting(region, prepared(attempt)), () => send(attempt, clock, region))
    }
    const isNative = sayings.isNative(target.protocol, attempt)
    if (isNative && target.protocol.shape === undefined) return say(attempt, target, clock, region, noStamp)
    const call = Effect.flatMap(Random.next, (dice) => say(attempt, target, clock, region, () => stampOf(dice, clock)))
    return media === undefined || isNative
      ? call
      : Effect.zipRight(Service.waiting(region, fetched(attempt, target, media)), call)
  }

  return Service.expiring(Service.attemptWithin((attempt, region) => send(attempt, clockHere(), region)))
}

const noStamp = (): Stamp => ({ id: "", created: 0 })
