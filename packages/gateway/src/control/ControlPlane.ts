/**
 * Everything that the gateway serves beside the models themselves: the list of models, health, metrics, the admin endpoints
 * and the dashboard. One table says which path takes which methods and who may call it.
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { KeptAsk } from "@switchyard/core/SideCalls"
import * as SideCalls from "@switchyard/core/SideCalls"
import { nowMs } from "@switchyard/core/Time"
import type { Exposition } from "@switchyard/router/MetricsSink"
import { Effect } from "effect"
import * as Dashboard from "../dashboard/Dashboard.js"
import { anthropicPrefixes, googlePrefixes, keptAnswerAt, prefixes, speechOf, targetOf } from "../edge/callPaths.js"
import * as OpenAccess from "../edge/OpenAccess.js"
import { requestIdOf } from "../edge/requestId.js"
import { decodePart, pathOf, queryOf } from "../edge/requestPath.js"
import type { Refusal, Speech } from "../errors/ErrorBody.js"
import type { Generation } from "../generations/Generations.js"
import * as KeyRing from "../keys/KeyRing.js"
import * as SealedIds from "../objects/SealedIds.js"
import type { AdminAppDeps } from "./adminApp.js"
import * as answers from "./controlAnswers.js"
import * as Health from "./Health.js"
import * as KeptAnswers from "./keptAnswers.js"
import { type Asked, administration, management, signingIn, type TurningAway, wrongMethod } from "./lazyApps.js"
import * as ModelInfo from "./ModelInfo.js"
import * as ModelList from "./ModelList.js"
import { managedAt } from "./management/paths.js"
import { isSessionPath } from "./session/sessionPaths.js"
import { Visitors } from "./session/visitors.js"
import { answerSiblings } from "./siblingAnswers.js"
import * as SpokenModels from "./spokenModels.js"

/** What the control plane works with. */
export interface ControlPlaneDeps extends AdminAppDeps {
  /** Whether only this machine reaches the gateway: names may be told to anybody then. Default true. */
  readonly isLocal?: boolean
  /** What providers do beside answering. Default: nothing. */
  readonly side?: SideCalls.SideCalls
  /** Opens the ids of what providers keep. Default: one of its own, which opens none that was given out elsewhere. */
  readonly sealer?: SealedIds.Sealer
  /** What `/metrics` answers to a scrape with this `Accept` header; undefined where metrics are off. */
  readonly metrics: (accept: string | undefined) => Effect.Effect<Exposition | undefined>
  /** Why a request must not be served at all: keeps other sites' pages, and what proxies pass on, out of an open gateway. */
  readonly guard: (headers: Readonly<Record<string, string>>, method: string, path: string) => Refusal | undefined
}

type Answer = HttpServerResponse.HttpServerResponse

/** A request that found its endpoint. */
interface Call {
  readonly headers: Readonly<Record<string, string>>
  readonly generation: Generation
  /** The part of the path that is a name, decoded; empty where there is none. */
  readonly name: string
  readonly query: URLSearchParams
  /** The language that the client speaks. */
  readonly speech: Speech
  readonly id: string
  readonly url: string
}

type Handler = (call: Call) => Effect.Effect<Answer>

/** Who may call: anybody, whoever bears a key, or the master. */
type Access = "anybody" | "caller" | "master"

interface Endpoint {
  readonly access: Access | ((generation: Generation) => Access)
  /** Undefined for a method that another part of the gateway serves. */
  readonly methods: Readonly<Record<string, Handler | undefined>>
}

const keyOf = ({ headers, url }: Pick<Call, "headers" | "url">) => KeyRing.keyOf(headers, url)

const callerOf = (call: Pick<Call, "generation" | "headers" | "url">) => call.generation.keys.identify(keyOf(call))

/** Why a request is turned away; undefined when it may come in. */
const refusalOf = (access: Access, call: Call): Refusal | undefined => {
  const { keys, source } = call.generation
  if (access === "anybody" || keys.isOpen) return undefined
  // What the master may do is not put into a link.
  const key = access === "master" ? KeyRing.keyOf(call.headers) : keyOf(call)
  const caller = keys.identify(key)
  if (caller === undefined) return keys.refusal(key)
  return access === "master" && !caller.isMaster ? answers.notMaster(source.config.masterKey !== undefined) : undefined
}

const onlyGet = (access: Endpoint["access"], handler: Handler): Endpoint => ({ access, methods: { GET: handler } })

/** Endpoints that another part of the gateway serves; what comes here has the wrong method. */
const elsewhere: Endpoint = { access: "anybody", methods: { POST: undefined } }

const refuse = ({ id, speech }: Pick<Call, "id" | "speech">, refusal: Refusal): Answer =>
  answers.refuse(refusal, { "x-request-id": id }, speech)

/** An endpoint that tells callers about models. */
const telling = (answer: (caller: KeyRing.Caller, call: Call) => Answer): Endpoint =>
  onlyGet("caller", (call) =>
    Effect.sync(() => {
      const caller = callerOf(call)
      return caller === undefined ? refuse(call, call.generation.keys.refusal(keyOf(call))) : answer(caller, call)
    })
  )

const modelPrefixes = [...new Set<string>([...prefixes, ...anthropicPrefixes, ...googlePrefixes])]

const modelEndpoints = (): ReadonlyMap<string, Endpoint> => {
  const models = telling((caller, { generation, query, speech }) => {
    const known = ModelList.list(caller, generation, query.get("return_wildcard_routes")?.toLowerCase() === "true")
    return answers.json(SpokenModels.list(speech, known, generation, query))
  })
  const info = telling((caller, { generation, query }) => {
    const id = query.get("litellm_model_id")
    const data = ModelInfo.models(caller, generation, id)
    return id !== null && data.length === 0 ? answers.refuse(answers.unknownModel(id)) : answers.json({ data })
  })
  const groups = telling((caller, { generation, query }) =>
    answers.json({ data: ModelInfo.groups(caller, generation, query.get("model_group")) })
  )
  return new Map([
    ...modelPrefixes.map((prefix) => [`${prefix}/models`, models] as const),
    ["/v1/model/info", info],
    ["/model/info", info],
    ["/v1/model_group/info", groups],
    ["/model_group/info", groups]
  ])
}

const oneModel = telling((caller, call) => {
  const { generation, name, speech } = call
  const model = ModelList.find(name, caller, generation)
  return model === undefined
    ? refuse(call, answers.unknownModel(name))
    : answers.json(SpokenModels.one(speech, model, generation))
})

/** Who is told all names, and nobody in particular. */
const everybody: Pick<KeyRing.Caller, "mayUse"> = { mayUse: () => true }

/** LiteLLM's names and shapes stand beside ours: its tools look for its words. */
const healthEndpoints = ({ isLocal = true, ledger, phase }: ControlPlaneDeps): ReadonlyMap<string, Endpoint> => {
  const live = onlyGet("anybody", () => Effect.sync(() => answers.json({ status: "alive", phase: phase() })))
  const alive = onlyGet("anybody", () => Effect.sync(() => answers.json("I'm alive!")))
  const ready = (asLiteLlm: boolean) =>
    onlyGet("anybody", (call) =>
      Effect.clockWith((clock) =>
        Effect.sync(() => {
          const { generation, headers } = call
          const isNear = isLocal && OpenAccess.relayOf(headers) === undefined
          const caller = isNear ? everybody : generation.keys.isOpen ? undefined : callerOf(call)
          const readiness = Health.readiness(phase(), generation.tower.state, nowMs(clock), caller?.mayUse)
          const isReady = readiness.phase === "ready"
          const theirs = {
            status: isReady ? "healthy" : readiness.phase,
            db: ledger?.().state === "up" ? "connected" : "Not connected"
          }
          return answers.json(asLiteLlm ? { ...readiness, ...theirs } : readiness, isReady ? 200 : 503)
        })
      )
    )
  const deployments = onlyGet("caller", (call) =>
    Effect.clockWith((clock) =>
      Effect.sync(() => {
        const { generation, query } = call
        const caller = callerOf(call)
        if (caller === undefined) return answers.refuse(generation.keys.refusal(keyOf(call)))
        const only = query.get("model") ?? query.get("model_id")
        const health = ModelInfo.health(caller, generation, nowMs(clock), only)
        return answers.json(health, only !== null && health.healthy_count === 0 ? 503 : 200)
      })
    )
  )
  return new Map([
    ["/health", deployments],
    ["/health/live", live],
    ["/health/liveliness", alive],
    ["/health/liveness", alive],
    ["/health/ready", ready(false)],
    ["/health/readiness", ready(true)]
  ])
}

const metricsEndpoint = ({ isLocal = true, metrics }: ControlPlaneDeps): Endpoint => ({
  access: ({ source }) => {
    const { router, server } = source.config
    if (server.metricsKey === true) return "master"
    return isLocal || (router.metrics !== false && router.metrics?.public === true) ? "anybody" : "caller"
  },
  methods: {
    GET: ({ headers }) =>
      Effect.map(metrics(headers.accept), (exposed) =>
        exposed === undefined
          ? answers.refuse(answers.unknownPath("GET", "/metrics"))
          : HttpServerResponse.text(exposed.text, { contentType: exposed.contentType })
      )
  }
})

const assetEndpoint = ({ body, contentType, etag }: Dashboard.Asset): Endpoint => {
  const headers = { "cache-control": "no-cache", etag }
  const whole = HttpServerResponse.uint8Array(body, { contentType, headers })
  const unchanged = HttpServerResponse.empty({ status: 304, headers })
  return onlyGet("anybody", (call) => Effect.succeed(call.headers["if-none-match"] === etag ? unchanged : whole))
}

/** Answers that providers keep. */
const keptEndpoints = ({ sealer = SealedIds.make(undefined), side = SideCalls.none }: ControlPlaneDeps) => {
  const asking =
    (method: KeptAsk["method"], part?: KeptAsk["part"]): Handler =>
    (call) =>
      Effect.suspend(() => {
        const caller = callerOf(call)
        const { generation, name, query } = call
        if (caller === undefined) return Effect.succeed(refuse(call, generation.keys.refusal(keyOf(call))))
        return Effect.map(
          KeptAnswers.ask(caller, generation, { method, id: name, part, query }, side, sealer),
          (answer) =>
            answer.refusal === undefined ? answers.json(answer.body, answer.status) : refuse(call, answer.refusal)
        )
      })
  const endpoint = (methods: Endpoint["methods"]): Endpoint => ({ access: "caller", methods })
  return {
    whole: endpoint({ GET: asking("GET"), DELETE: asking("DELETE") }),
    input_items: endpoint({ GET: asking("GET", "input_items") }),
    cancel: endpoint({ POST: asking("POST", "cancel") })
  } as const
}

type Found = { readonly endpoint: Endpoint; readonly name: string }

/** Finds endpoints by exact path, and those whose path holds a name, which may have slashes, by what stands around it. */
const finder = (deps: ControlPlaneDeps): ((path: string) => Found | undefined) => {
  const exact = new Map<string, Endpoint>([
    ...modelEndpoints(),
    ...healthEndpoints(deps),
    ["/metrics", metricsEndpoint(deps)]
  ])
  // Two dozen files to read and to hash: not before somebody opens the page.
  let assets: ReadonlyMap<string, Endpoint> | undefined
  const asset = (path: string): Endpoint | undefined => {
    if (!Dashboard.isAt(path)) return undefined
    assets ??= new Map([...Dashboard.load()].map(([path, asset]) => [path, assetEndpoint(asset)] as const))
    return assets.get(path)
  }
  const kept = keptEndpoints(deps)
  const folders = modelPrefixes.map((prefix) => `${prefix}/models/`)
  return (path) => {
    const endpoint = exact.get(path) ?? asset(path) ?? (targetOf(path) === undefined ? undefined : elsewhere)
    if (endpoint !== undefined) return { endpoint, name: "" }
    const keptAnswer = keptAnswerAt(path)
    if (keptAnswer !== undefined) return { endpoint: kept[keptAnswer.part ?? "whole"], name: keptAnswer.id }
    const folder = folders.find((before) => path.length > before.length && path.startsWith(before))
    const name = folder === undefined ? undefined : decodePart(path.slice(folder.length))
    return name === undefined ? undefined : { endpoint: oneModel, name }
  }
}

/** Without a master key nobody could manage keys. */
const hasMaster = ({ generations }: ControlPlaneDeps): boolean =>
  generations.current().source.config.masterKey !== undefined

/**
 * The app for an `@effect/platform` server. It answers every request, also one that it does not know; its errors are in the
 * caller's words.
 *
 * Paths are matched by hand: ids and model names may hold slashes.
 */
export const make = (deps: ControlPlaneDeps): HttpApp.Default => {
  const find = finder(deps)

  const turnAway = (
    { id, path, request: { headers: sent, method, url } }: Asked,
    { headers, refusal }: TurningAway
  ): Effect.Effect<Answer> =>
    Effect.sync(() => {
      deps.onRefusal?.({ id, method, path: managedAt(path)?.shown ?? path, refusal })
      return answers.refuse(refusal, { "x-request-id": id, ...headers }, speechOf(url, sent))
    })
  const visitors = new Visitors(() => deps.generations.current(), deps.siblings)
  if (deps.siblings !== undefined) answerSiblings(deps, deps.siblings)
  const administer = administration(deps, visitors, turnAway)
  const signIn = signingIn(deps, visitors, turnAway)
  const manage = deps.desk === undefined ? undefined : management(deps, visitors, deps.desk, turnAway)

  const answer = (asked: Asked): Effect.Effect<Answer> => {
    const { method, path, request } = asked
    const { headers, url } = request
    const barred = deps.guard(headers, request.method, path)
    if (barred !== undefined) return turnAway(asked, { refusal: barred })
    if (isSessionPath(path)) return signIn(asked, path)
    if (path.startsWith("/admin/")) return administer(asked)
    const managed = manage === undefined ? undefined : managedAt(path)
    if (manage !== undefined && managed !== undefined && hasMaster(deps)) return manage(asked, managed)
    const found = find(path)
    // Google's clients post to a model's name with a verb behind it.
    if (found === undefined || (method === "POST" && found.endpoint === oneModel && /:[a-z]+$/i.test(path))) {
      return turnAway(asked, { refusal: answers.unknownPath(request.method, path) })
    }
    const { access, methods } = found.endpoint
    const handler = methods[method]
    if (handler === undefined) return turnAway(asked, wrongMethod(asked, Object.keys(methods)))
    const generation = deps.generations.current()
    const speech = speechOf(url, headers)
    const call = { headers, generation, name: found.name, query: queryOf(url), speech, id: asked.id, url }
    const refusal = refusalOf(typeof access === "string" ? access : access(generation), call)
    return refusal === undefined ? handler(call) : turnAway(asked, { refusal })
  }

  return Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    Effect.suspend(() => {
      const id = requestIdOf(request.headers)
      const method = request.method === "HEAD" ? "GET" : request.method
      return Effect.map(
        answer({ request, id, path: pathOf(request.url), method }),
        HttpServerResponse.setHeaders({ ...Dashboard.securityHeaders, "x-request-id": id })
      )
    })
  )
}
