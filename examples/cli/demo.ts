/**
 * Runs one scenario: upstreams, router, workload, and what is shown of it.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Time from "@switchyard/core/Time"
import * as Providers from "@switchyard/providers/Providers"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import * as Router from "@switchyard/router/Router"
import * as RouterEvents from "@switchyard/router/RouterEvents"
import { Console, Effect, Fiber, Layer, Schedule, Stream } from "effect"
import { type Scenario, type ScenarioName, scenarios, start } from "./scenarios.js"
import { render, summarize } from "./summary.js"
import { draw, eventLine, painter } from "./table.js"
import * as Workload from "./workload.js"

/** What to run, and how to show it. */
export interface DemoOptions {
  readonly scenario: ScenarioName
  readonly strategy?: string
  readonly requests: number
  readonly concurrency: number
  readonly json: boolean
}

const show = (options: DemoOptions, scenario: Scenario) =>
  Effect.gen(function* () {
    const live = !options.json && process.stdout.isTTY === true
    const lines = !options.json && !live
    const registry = yield* DeploymentRegistry
    const { stream: events } = yield* RouterEvents.RouterEvents
    const seen: Array<RouterEvents.RouterEvent> = []
    const retries = new Map<string, number>()
    let done = 0

    if (!options.json) yield* Console.log(`${options.scenario}: ${scenarios[options.scenario]}\n`)
    const listening = yield* Effect.fork(
      Stream.runForEach(events, (event) => {
        seen.push(event)
        const line = lines ? eventLine(event) : undefined
        return line === undefined ? Effect.void : Console.log(line)
      })
    )
    const paint = painter((text) => process.stdout.write(text))
    const repaint = Effect.map(draw(retries), (table) => paint(`${table}\n${done} of ${options.requests} requests`))
    const painting = yield* Effect.fork(live ? Effect.repeat(repaint, Schedule.spaced("100 millis")) : Effect.void)

    const startedAt = yield* Time.now
    const results = yield* Workload.run(scenario, options, ({ error, report }) =>
      Effect.suspend(() => {
        done++
        for (const { deployment, number } of report?.attempts ?? error?.attempts ?? []) {
          if (number > 1) retries.set(deployment, (retries.get(deployment) ?? 0) + 1)
        }
        return lines && done % Math.ceil(options.requests / 10) === 0
          ? Console.log(`${done} of ${options.requests} requests answered`)
          : Effect.void
      })
    )
    const seconds = ((yield* Time.now) - startedAt) / 1000
    yield* Fiber.interrupt(painting)
    if (live) yield* repaint
    yield* Effect.yieldNow()
    yield* Fiber.interrupt(listening)
    const deployments = registry.slots().map(({ id }) => id as string)
    const run = { scenario: options.scenario, strategy: scenario.strategy, seconds }
    const summary = summarize(run, deployments, results, seen)
    yield* Console.log(options.json ? JSON.stringify(summary, undefined, 2) : render(summary))
    return summary.answered === summary.requests
  })

/** Runs the demo; true when every request was answered whole. Fails when the options make no router. */
export const run = (options: DemoOptions): Effect.Effect<boolean, ConfigError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const started = yield* start(options.scenario)
      const scenario = options.strategy === undefined ? started : { ...started, strategy: options.strategy }
      const router = Router.layer({ ...scenario.options, strategy: scenario.strategy }).pipe(
        Layer.provide(Providers.layer),
        Layer.provide(UndiciTransport.layer),
        Layer.provideMerge(RouterEvents.layer)
      )
      return yield* Router.Tower.pipe(
        Effect.flatMap(({ state }) => Effect.provide(show(options, scenario), state)),
        Effect.provide(router)
      )
    })
  )
