/**
 * Serves the admin API. A module of its own that is loaded with the first request to `/admin`: a gateway starts sooner
 * without it.
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { Health as LedgerHealth } from "@switchyard/ledger/Health"
import { Effect, Layer, Schema, Stream } from "effect"
import * as AdminApi from "../api/AdminApi.js"
import type { Deployments, Recording } from "../api/AdminViews.js"
import type { FleetView } from "../api/FleetViews.js"
import { requestIdOf } from "../edge/requestId.js"
import { decodePart, pathOf } from "../edge/requestPath.js"
import { answerRefusal, ofRefusal, type Refusal, type TurnedAway } from "../errors/ErrorBody.js"
import type { Desk } from "../keys/management/KeyDesk.js"
import * as Admin from "./Admin.js"
import { appOf } from "./apiApp.js"
import * as answers from "./controlAnswers.js"
import { type LiveDeps, liveEvents } from "./liveEvents.js"
import * as Merged from "./mergedViews.js"
import type { Visitors } from "./session/visitors.js"
import type { Shown } from "./siblingAnswers.js"
import * as SpendViews from "./spendViews.js"

/** What the admin API works with. */
export interface AdminAppDeps extends LiveDeps {
  /** How many requests wait for a connection to a provider. */
  readonly waiting?: () => number
  /** What keys are managed with. Default: nothing, and there is no key management. */
  readonly desk?: Desk | undefined
  /** How the ledger is doing. Default: there is none. */
  readonly ledger?: (() => LedgerHealth) | undefined
  /** All gateways that share their state. */
  readonly fleet: Effect.Effect<FleetView>
  /** Lines that the log has lost since the start. */
  readonly lostLines?: () => number
  /** Told of every request that is turned away. */
  readonly onRefusal?: (turnedAway: TurnedAway) => void
}

/** Dashboards that may listen at once. */
const maxListeners = 32

/** Fails with a refusal as the API declares it; what the headers of a refusal say beside goes out with the answer. */
const refuse = <A, I>(failure: Schema.Schema<A, I>, refusal: Refusal): Effect.Effect<never, A> => {
  const { "content-type": _type, ...headers } = answerRefusal(refusal).headers
  return Effect.zipRight(
    HttpApp.appendPreResponseHandler((_, response) =>
      Effect.succeed(HttpServerResponse.setHeaders(response, headers as Readonly<Record<string, string>>))
    ),
    Effect.flatMap(Effect.orDie(Schema.decodeUnknown(failure)(ofRefusal(refusal))), Effect.fail)
  )
}

const authorization = ({ generations, onRefusal }: AdminAppDeps, visitors: Visitors) =>
  Layer.succeed(AdminApi.Authorization, {
    // Which header a key stands in is the key ring's to know.
    bearer: () =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const { headers, method, originalUrl } = request
        const { keys, source } = generations.current()
        const visitor = yield* visitors.of(request)
        if (keys.isOpen || visitor.caller?.isMaster === true) return
        const refusal = visitor.refusal ?? answers.notMaster(source.config.masterKey !== undefined)
        onRefusal?.({ id: requestIdOf(headers), method, path: pathOf(originalUrl), refusal })
        if (refusal.status === 403) return yield* refuse(AdminApi.Forbidden, refusal)
        if (refusal.status === 503) return yield* refuse(AdminApi.Unavailable, refusal)
        return yield* refuse(AdminApi.Unauthorized, refusal)
      })
  })

/** Lets a stream go on while whoever asked for it may: a session that is over ends it with the next event. */
const whileIn = (visitors: Visitors, events: Stream.Stream<Uint8Array>) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const { session } = yield* visitors.of(yield* HttpServerRequest.HttpServerRequest)
    return session === undefined
      ? events
      : Stream.takeWhile(events, () => visitors.keep(session, clock.unsafeCurrentTimeMillis()))
  })

/** A stream of events, for as many listeners at once as there is room for. */
const eventsFor = (deps: AdminAppDeps, visitors: Visitors) => {
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
  return Effect.suspend(() =>
    listeners >= maxListeners
      ? refuse(AdminApi.Unavailable, {
          status: 503,
          code: "too_many_listeners",
          message: `${maxListeners} dashboards listen already.`,
          retryAfter: 10_000
        })
      : Effect.map(whileIn(visitors, counted), (events) =>
          HttpServerResponse.stream(events, {
            contentType: "text/event-stream; charset=utf-8",
            headers: { "cache-control": "no-store, no-transform", "x-accel-buffering": "no" }
          })
        )
  )
}

/** A large answer, which it would take thirty times as long to look at field by field as to write. */
const asItIs = <A>(answer: A): HttpServerResponse.HttpServerResponse => answers.json(answer)

/** A browser keeps it as a file, and takes it for nothing else. */
const asFile = (csv: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(csv, {
    contentType: "text/csv; charset=utf-8",
    headers: { "cache-control": "no-store", "content-disposition": 'attachment; filename="spend.csv"' }
  })

const handlers = (deps: AdminAppDeps, visitors: Visitors) => {
  const { generations } = deps
  const events = eventsFor(deps, visitors)
  const { siblings } = deps
  const asked = <A>(question: string, args: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<A>> =>
    siblings === undefined ? Effect.succeed([]) : (siblings.ask(question, args) as Effect.Effect<ReadonlyArray<A>>)
  const act =
    (action: Admin.Action) =>
    ({ path: { id } }: { readonly path: { readonly id: string } }) =>
      Effect.flatMap(Admin.act(action, id, generations.current(), deps), (view) =>
        view === undefined
          ? refuse(AdminApi.NotFound, answers.unknownDeployment(id))
          : Effect.as(asked("act", [action, id]), view)
      )
  const document = Effect.runSync(Effect.cached(Effect.sync(() => AdminApi.document())))
  return HttpApiBuilder.group(AdminApi.Api, "admin", (handling) =>
    handling
      .handle("deployments", () =>
        Effect.clockWith((clock) =>
          Effect.map(asked<Shown>("deployments", []), (others) =>
            asItIs<Deployments>({
              deployments: Merged.deployments(
                Admin.deployments(generations.current(), deps, clock),
                others.map(({ deployments }) => deployments)
              ),
              connectionsWaiting: others.reduce((sum, { waiting }) => sum + waiting, deps.waiting?.() ?? 0)
            })
          )
        )
      )
      .handle("isolate", act("isolate"))
      .handle("release", act("release"))
      .handle("reset", act("reset"))
      // What is masked may be anything.
      .handle("config", () =>
        Effect.sync(() => answers.json(Admin.config(generations, deps.lostLines?.(), deps.ledger?.())))
      )
      .handle("fleet", () => deps.fleet)
      .handle("timeline", () =>
        Effect.map(asked<Recording>("timeline", []), (others) =>
          asItIs<Recording>(Merged.recording(deps.timeline.recording(), others))
        )
      )
      .handle("events", () => events)
      .handle("spend", () =>
        Effect.catchAll(Effect.map(SpendViews.view(deps.desk), answers.json), (refusal) =>
          refuse(AdminApi.Unavailable, refusal)
        )
      )
      .handle("spendCsv", () =>
        Effect.catchAll(Effect.map(SpendViews.csv(deps.desk), asFile), (refusal) =>
          refuse(AdminApi.Unavailable, refusal)
        )
      )
      .handle("openapi", () => document)
  )
}

/** Where a request to `/admin` goes. */
export interface Found {
  /** What may be done there. */
  readonly methods: ReadonlyArray<string>
  /** The URL under which the API knows it: with a name as one part of the path, whatever slashes it has. */
  readonly url: string
}

const named = /^(.*\/):id(\/.*)$/

/** Finds endpoints by their path, and those whose path holds a name by what stands around it. */
export const find = (path: string): Found | undefined => {
  const methodsAt = (pattern: string) =>
    AdminApi.endpoints.filter((endpoint) => endpoint.path === pattern).map(({ method }) => method)
  const exact = methodsAt(path)
  if (exact.length > 0) return { methods: exact, url: path }
  for (const { path: pattern } of AdminApi.endpoints) {
    const [, before = "", after = ""] = named.exec(pattern) ?? []
    if (before === "" || path.length <= before.length + after.length) continue
    if (!path.startsWith(before) || !path.endsWith(after)) continue
    const name = decodePart(path.slice(before.length, path.length - after.length))
    if (name !== undefined) {
      return { methods: methodsAt(pattern), url: `${before}${encodeURIComponent(name)}${after}` }
    }
  }
  return undefined
}

/** The app that answers under the URLs of `find`. */
export const make = (deps: AdminAppDeps, visitors: Visitors): Effect.Effect<HttpApp.Default> =>
  appOf(
    HttpApiBuilder.api(AdminApi.Api).pipe(
      Layer.provide(Layer.provide(handlers(deps, visitors), authorization(deps, visitors)))
    )
  )
