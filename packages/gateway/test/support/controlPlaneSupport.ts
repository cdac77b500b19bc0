/**
 * A control plane on a free port, over a tower of the test's own.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type { AttemptService } from "@switchyard/core/Service"
import * as ControlPlane from "@switchyard/gateway/ControlPlane"
import * as EventLog from "@switchyard/gateway/EventLog"
import * as Fleet from "@switchyard/gateway/Fleet"
import * as GatewayConfig from "@switchyard/gateway/GatewayConfig"
import type { Generation, Source } from "@switchyard/gateway/Generations"
import type { Phase } from "@switchyard/gateway/Health"
import * as KeyRing from "@switchyard/gateway/KeyRing"
import * as Timeline from "@switchyard/gateway/Timeline"
import * as Router from "@switchyard/router/Router"
import { RouterEvents } from "@switchyard/router/RouterEvents"
import { Clock, Effect, Either } from "effect"

export interface Options {
  readonly settings: object
  readonly base: AttemptService
  readonly source?: Partial<Source>
  readonly lastRefusal?: string
  readonly maxDeployments?: number
}

/** The parts of a gateway that the control plane stands on. */
export const parts = (options: Options) =>
  Effect.gen(function* () {
    const config = Either.getOrThrow(GatewayConfig.decode(options.settings))
    const eventLog = yield* EventLog.make()
    const tower = yield* Router.make(config.router, options.base).pipe(
      Effect.provideService(RouterEvents, eventLog.events)
    )
    const generation: Generation = {
      number: 1,
      source: { ...options.source, config },
      keys: KeyRing.make(config),
      tower,
      installedAt: yield* Clock.currentTimeMillis
    }
    const generations = {
      current: () => generation,
      enter: () => ({ generation, leave: () => {} }),
      install: () => Effect.succeed(generation),
      refuse: () => {},
      lastRefusal: () => options.lastRefusal,
      alive: () => 1
    }
    const timeline = yield* Timeline.make(() => generations.current().tower, {
      maxDeployments: options.maxDeployments ?? 200
    })
    const now: { phase: Phase; isAllowed: (headers: Readonly<Record<string, string>>) => boolean } = {
      phase: "ready",
      isAllowed: () => true
    }
    const deps: ControlPlane.ControlPlaneDeps = {
      generations,
      phase: () => now.phase,
      timeline,
      eventLog,
      fleet: (yield* Fleet.make({ guard: undefined, generations, inFlight: () => 0 })).view,
      metrics: () => Effect.succeed({ contentType: "text/plain; version=0.0.4", text: "up 1\n" }),
      guard: (headers) =>
        now.isAllowed(headers) ? undefined : { status: 403, code: "loopback_only", message: "not from here" }
    }
    return { deps, eventLog, generation, now, timeline, tower }
  })

/** Serves an app until the scope closes, or `stop` ends it before, with every connection. */
export const serve = (deps: ControlPlane.ControlPlaneDeps, port = 0) =>
  Effect.gen(function* () {
    const handler = yield* NodeHttpServer.makeHandler(ControlPlane.make(deps))
    const node = createServer(handler)
    const stop = Effect.async<void>((resume) => {
      node.close(() => resume(Effect.void))
      node.closeAllConnections()
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => {
        node.listen(port, "127.0.0.1", () => resume(Effect.void))
      }),
      () => stop
    )
    const { port: taken } = node.address() as AddressInfo
    const connections = Effect.async<number>((resume) => {
      node.getConnections((_, count) => resume(Effect.succeed(count)))
    })
    return { connections, port: taken, stop, url: `http://127.0.0.1:${taken}` }
  })

/** Both at once. */
export const start = (options: Options) =>
  Effect.gen(function* () {
    const built = yield* parts(options)
    return { ...built, ...(yield* serve(built.deps)) }
  })
