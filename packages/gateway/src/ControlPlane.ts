/**
 * Everything that the gateway serves beside the models themselves: the list of models, health, metrics, the admin endpoints
 * and the dashboard. One table says which path takes which methods and who may call it.
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { nowMs } from "@switchyard/core/Time"
import type { Exposition } from "@switchyard/router/MetricsSink"
import { Effect, Stream } from "effect"
import * as Admin from "./Admin.js"
import * as Dashboard from "./Dashboard.js"
import type { Generation } from "./Generations.js"
import * as Health from "./Health.js"
import * as answers from "./internal/controlAnswers.js"
import { type LiveDeps, liveEvents } from "./internal/liveEvents.js"
import * as KeyRing from "./KeyRing.js"
import * as ModelList from "./ModelList.js"

/** What the control plane works with. */
export interface ControlPlaneDeps extends LiveDeps {
  /** What `/metrics` answers to a scrape with this `Accept` header. */
  readonly metrics: (accept: string | undefined) => Effect.Effect<Exposition>
  /** Whether a request with these headers may be served at all: keeps other sites' pages out of an open gateway. */
  readonly guard: (headers: Readonly<Record<string, string>>) => boolean
}

/** Dashboards that may listen at once. */
export const maxListeners = 32

type Answer = HttpServerResponse.HttpServerResponse

/** A request that found its endpoint. */
interface Call {
  readonly headers: Readonly<Record<string, string>>
  readonly generation: Generation
  /** The part of the path that is a name, decoded; empty where there is none. */
  readonly name: string
}

type Handler = (call: Call) => Effect.Effect<Answer>

/** Who may call: anybody, whoever bears a key, or the master. */
type Access = "anybody" | "caller" | "master"

interface Endpoint {
  readonly access: Access | ((generation: Generation) => Access)
  readonly methods: Readonly<Record<string, Handler>>
}

const keyOf = (headers: Call["headers"]) => KeyRing.keyOf(headers)

const callerOf = ({ generation, headers }: Pick<Call, "generation" | "headers">) =>
  generation.keys.identify(keyOf(headers))

/** Why a request is turned away; undefined when it may come in. */
const refusalOf = (access: Access, call: Pick<Call, "generation" | "headers">): Answer | undefined => {
  const { keys, source } = call.generation
  if (access === "anybody" || keys.isOpen) return undefined
  const caller = callerOf(call)
  if (caller === undefined) return answers.unknownKey(keyOf(call.headers))
  return access === "master" && !caller.isMaster ? answers.notMaster(source.config.masterKey !== undefined) : undefined
}

const decode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

const onlyGet = (access: Endpoint["access"], handler: Handler): Endpoint => ({ access, methods: { GET: handler } })

/** Endpoints that another part of the gateway serves; what comes here has the wrong method. */
const elsewhere: Endpoint = {
  access: "anybody",
  methods: {
    POST: () =>
      Effect.succeed(answers.refuse({ status: 404, code: "unknown_url", message: "This is not served here." }))
  }
}

const modelEndpoints = (): ReadonlyMap<string, Endpoint> => {
  const models = onlyGet("caller", (call) =>
    Effect.sync(() => {
      const caller = callerOf(call)
      const data = caller === undefined ? [] : ModelList.list(caller, call.generation)
      return answers.json({ object: "list", data })
    })
  )
  const hot = ["/chat/completions", "/completions", "/embeddings"]
  return new Map([
    ...["/v1/models", "/models"].map((path) => [path, models] as const),
    ...hot.flatMap((path) => [[`/v1${path}`, elsewhere] as const, [path, elsewhere] as const])
  ])
}

const oneModel = onlyGet("caller", (call) =>
  Effect.sync(() => {
    const caller = callerOf(call)
    const model = caller === undefined ? undefined : ModelList.find(call.name, caller, call.generation)
    return model === undefined ? answers.unknownModel(call.name) : answers.json(model)
  })
)

const healthEndpoints = ({ phase }: ControlPlaneDeps): ReadonlyMap<string, Endpoint> => {
  const live = onlyGet("anybody", () => Effect.sync(() => answers.json({ status: "alive", phase: phase() })))
  const ready = onlyGet("anybody", ({ generation }) =>
    Effect.clockWith((clock) =>
      Effect.sync(() => {
        const readiness = Health.readiness(phase(), generation.tower.state, nowMs(clock))
        return answers.json(readiness, readiness.phase === "ready" ? 200 : 503)
      })
    )
  )
  return new Map([
    ["/health/live", live],
    ["/health/liveliness", live],
    ["/health/liveness", live],
    ["/health/ready", ready],
    ["/health/readiness", ready]
  ])
}

const metricsEndpoint = ({ metrics }: ControlPlaneDeps): Endpoint => ({
  access: ({ source }) => (source.config.server.metricsKey === true ? "master" : "anybody"),
  methods: {
    GET: ({ headers }) =>
      Effect.map(metrics(headers.accept), ({ contentType, text }) => HttpServerResponse.text(text, { contentType }))
  }
})

/** A stream of events, for as many listeners at once as there is room for. */
const eventsEndpoint = (deps: ControlPlaneDeps): Endpoint => {
  let listeners = 0
  const counted = Stream.unwrapScoped(
    Effect.as(
      Effect.acquireRelease(
        Effect.sync(() => listeners++),
        () => Effect.sync(() => listeners--)
      ),
      liveEvents(deps)
    )
  )
  const full = answers.refuse({
    status: 503,
    code: "too_many_listeners",
    message: `${maxListeners} dashboards listen already.`,
    retryAfter: 10_000
  })
  return onlyGet("master", () =>
    Effect.sync(() =>
      listeners >= maxListeners
        ? full
        : HttpServerResponse.stream(counted, {
            contentType: "text/event-stream; charset=utf-8",
            headers: { "cache-control": "no-store, no-transform", "x-accel-buffering": "no" }
          })
    )
  )
}

const adminEndpoints = (deps: ControlPlaneDeps): ReadonlyMap<string, Endpoint> =>
  new Map([
    [
      "/admin/deployments",
      onlyGet("master", ({ generation }) =>
        Effect.clockWith((clock) =>
          Effect.sync(() => answers.json({ deployments: Admin.deployments(generation, deps, clock) }))
        )
      )
    ],
    ["/admin/config", onlyGet("master", () => Effect.sync(() => answers.json(Admin.config(deps.generations))))],
    ["/admin/timeline", onlyGet("master", () => Effect.sync(() => answers.json(deps.timeline.recording())))],
    ["/admin/events", eventsEndpoint(deps)]
  ])

const actionEndpoint = (deps: ControlPlaneDeps, action: Admin.Action): Endpoint => ({
  access: "master",
  methods: {
    POST: ({ generation, name }) =>
      Effect.map(Admin.act(action, name, generation, deps), (view) =>
        view === undefined
          ? answers.refuse({
              status: 404,
              code: "deployment_not_found",
              message: `No deployment has the id '${name.slice(0, 200)}'.`
            })
          : answers.json(view)
      )
  }
})

const assetEndpoint = ({ body, contentType, etag }: Dashboard.Asset): Endpoint => {
  const headers = { "cache-control": "no-cache", etag }
  const whole = HttpServerResponse.uint8Array(body, { contentType, headers })
  const unchanged = HttpServerResponse.empty({ status: 304, headers })
  return onlyGet("anybody", (call) => Effect.succeed(call.headers["if-none-match"] === etag ? unchanged : whole))
}

type Found = { readonly endpoint: Endpoint; readonly name: string }

/** Finds endpoints by exact path, and those whose path holds a name, which may have slashes, by what stands around it. */
const finder = (deps: ControlPlaneDeps): ((path: string) => Found | undefined) => {
  const exact = new Map<string, Endpoint>([
    ...modelEndpoints(),
    ...healthEndpoints(deps),
    ["/metrics", metricsEndpoint(deps)],
    ...adminEndpoints(deps),
    ...[...Dashboard.load()].map(([path, asset]) => [path, assetEndpoint(asset)] as const)
  ])
  const named = [
    ...["/v1/models/", "/models/"].map((before) => ({ before, after: "", endpoint: oneModel })),
    ...Admin.actions.map((action) => ({
      before: "/admin/deployments/",
      after: `/${action}`,
      endpoint: actionEndpoint(deps, action)
    }))
  ]
  return (path) => {
    const endpoint = exact.get(path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path)
    if (endpoint !== undefined) return { endpoint, name: "" }
    for (const { after, before, endpoint } of named) {
      if (path.length <= before.length + after.length || !path.startsWith(before) || !path.endsWith(after)) continue
      const name = decode(path.slice(before.length, path.length - after.length))
      if (name !== undefined) return { endpoint, name }
    }
    return undefined
  }
}

/**
 * The app for an `@effect/platform` server. Reads the dashboard's files, and throws when they are missing. It answers every
 * request, also one that it does not know; its errors have OpenAI's shape.
 *
 * Paths are matched by hand: ids and model names may hold slashes, and be longer than a router's parameters.
 */
export const make = (deps: ControlPlaneDeps): HttpApp.Default => {
  const find = finder(deps)

  const answer = (method: string, url: string, headers: Call["headers"]): Effect.Effect<Answer> => {
    if (!deps.guard(headers)) return Effect.succeed(answers.notHere)
    const path = url.split("?", 1)[0] ?? url
    const found = find(path)
    if (found === undefined) return Effect.succeed(answers.unknownPath(method, path))
    const { access, methods } = found.endpoint
    const generation = deps.generations.current()
    const call = { headers, generation, name: found.name }
    const refusal = refusalOf(typeof access === "string" ? access : access(generation), call)
    if (refusal !== undefined) return Effect.succeed(refusal)
    const handler = methods[method === "HEAD" ? "GET" : method]
    if (handler !== undefined) return handler(call)
    const allowed = Object.keys(methods).flatMap((name) => (name === "GET" ? ["GET", "HEAD"] : [name]))
    return Effect.succeed(answers.wrongMethod(method, path, allowed))
  }

  return Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers, method, url }) =>
    Effect.map(
      Effect.suspend(() => answer(method, url, headers)),
      HttpServerResponse.setHeaders(Dashboard.securityHeaders)
    )
  )
}
