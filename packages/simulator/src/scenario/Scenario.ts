/**
 * A scenario that can be run: read from a file, checked as a whole, with every problem at once and where it is.
 */
import { nearest } from "@switchyard/core/Closest"
import { ConfigError, type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import { isJsonObject } from "@switchyard/core/Json"
import { toMs } from "@switchyard/core/Time"
import * as Router from "@switchyard/router/Router"
import { Either } from "effect"
import { LineCounter, parseDocument } from "yaml"
import type { TraceEntry } from "../workload/Trace.js"
import { ScenarioModel } from "./ScenarioModel.js"
import { isServed, servedNames } from "./served.js"
import { choose, type Variant } from "./variants.js"

export type { Variant }

/** A scenario that can be run. */
export interface Scenario {
  readonly model: ScenarioModel
  /** The options of its router. */
  readonly router: Router.Options
  /** The variants that are compared, at least one. */
  readonly variants: ReadonlyArray<Variant>
  readonly trace: ReadonlyArray<TraceEntry> | undefined
}

/** What is said beside the file. */
export interface Given {
  /** Options of a router in place of the scenario's own, as a gateway's file has them. */
  readonly router?: Router.Options | undefined
  /** Variants to compare: names of the scenario's, of strategies, or of other routers' rules. Default: the scenario's router. */
  readonly compare?: ReadonlyArray<string> | undefined
  /** In place of the scenario's workload. */
  readonly trace?: ReadonlyArray<TraceEntry> | undefined
}

/** Reads YAML or JSON; a problem names its line. */
export const parse = (text: string, name = "scenario"): Either.Either<ScenarioModel, ConfigError> => {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    const issues = document.errors.map(({ message, pos }) => {
      const { col, line } = lines.linePos(pos[0])
      return issue(`${name}:${line}:${col}`, text.slice(pos[0], pos[0] + 20), `YAML: ${message}`)
    })
    return Either.left(new ConfigError({ issues }))
  }
  try {
    const json: unknown = document.toJS() ?? {}
    // An alias within its own anchor is an object without an end.
    JSON.stringify(json)
    return Field.decode(ScenarioModel, json, "")
  } catch (cause) {
    const problem = issue(
      name,
      text.slice(0, 20),
      `YAML without aliases that grow without an end: ${(cause as Error).message}`
    )
    return Either.left(new ConfigError({ issues: [problem] }))
  }
}

const unknownName = (path: string, name: string, known: ReadonlyArray<string>): ConfigIssue => {
  const near = nearest(name, known)
  return issue(
    path,
    name,
    near.length > 0 ? `a name that is known: ${near.join(" or ")}?` : `one of ${known.join(", ")}`
  )
}

/** The router with those of its deployments of which something can be said beside what is wrong with them. */
const readable = (router: Router.Options): Router.Options => ({
  ...router,
  deployments: router.deployments.filter(
    (one: unknown) =>
      isJsonObject(one) &&
      typeof one.id === "string" &&
      typeof one.group === "string" &&
      one.id !== "" &&
      one.group !== ""
  )
})

const upstreamIssues = (model: ScenarioModel, router: Router.Options): ReadonlyArray<ConfigIssue> => {
  const ids = router.deployments.map(({ id }) => id)
  const { upstreams = {} } = model
  const regions = new Set([
    ...Object.values(upstreams).flatMap(({ region }) => region ?? []),
    ...router.deployments.flatMap(({ region }) => region ?? [])
  ])
  return [
    ...Object.keys(upstreams).flatMap((id) =>
      id === "*" || ids.includes(id) ? [] : [unknownName(`upstreams.${id}`, id, ids)]
    ),
    ...("*" in upstreams
      ? []
      : ids
          .filter((id) => !(id in upstreams))
          .map((id) => issue(`upstreams.${id}`, undefined, "a model of this deployment's upstream, or one under `*`"))),
    ...(model.incidents ?? []).flatMap(({ deployments, every, from, lasts, region }, index) => {
      const path = `incidents[${index}]`
      return [
        ...(deployments === undefined && region === undefined
          ? [issue(path, undefined, "`deployments` or a `region` that it befalls")]
          : []),
        ...(deployments ?? []).flatMap((id, at) =>
          ids.includes(id) ? [] : [unknownName(`${path}.deployments[${at}]`, id, ids)]
        ),
        ...(region === undefined || regions.has(region) ? [] : [unknownName(`${path}.region`, region, [...regions])]),
        ...(every !== undefined && (lasts === undefined || toMs(lasts) >= toMs(every))
          ? [issue(`${path}.every`, every, "more than `lasts`, so that it ends before it begins again")]
          : []),
        ...(model.duration !== undefined && toMs(from) >= toMs(model.duration)
          ? [issue(`${path}.from`, from, "a time before the scenario's end")]
          : [])
      ]
    })
  ]
}

const workloadIssues = (
  model: ScenarioModel,
  router: Router.Options,
  trace: Scenario["trace"]
): ReadonlyArray<ConfigIssue> => {
  const known = servedNames(router)
  const { duration, requests, traceModel, warmUp, workload } = model
  const sources = trace === undefined ? (workload ?? []) : []
  return [
    ...(trace === undefined && sources.length === 0
      ? [issue("workload", workload, "at least one source of requests, or a `trace`")]
      : []),
    ...(trace === undefined && duration === undefined && requests === undefined
      ? [issue("duration", undefined, "how long requests come, or how many `requests`")]
      : []),
    ...(duration !== undefined && warmUp !== undefined && toMs(warmUp) >= toMs(duration)
      ? [issue("warmUp", warmUp, "less than `duration`")]
      : []),
    ...sources.flatMap((source, index) => [
      ...(isServed(source.model, known) ? [] : [unknownName(`workload[${index}].model`, source.model, known)]),
      ...(source.bursts !== undefined && toMs(source.bursts.lasts) >= toMs(source.bursts.every)
        ? [issue(`workload[${index}].bursts.lasts`, source.bursts.lasts, "less than `every`")]
        : [])
    ]),
    ...(traceModel === undefined || isServed(traceModel, known) ? [] : [unknownName("traceModel", traceModel, known)]),
    ...(trace !== undefined &&
    traceModel === undefined &&
    trace.some(({ model }) => model === undefined || !isServed(model, known))
      ? [
          issue(
            "traceModel",
            undefined,
            `the model group of the trace's requests that name ${trace.some(({ model }) => model === undefined) ? "none" : "another"}: one of ${known.join(", ")}`
          )
        ]
      : [])
  ]
}

/** Makes a scenario of what was read; fails with everything that is wrong with it. */
export const make = (model: ScenarioModel, given: Given = {}): Either.Either<Scenario, ConfigError> => {
  const router = given.router ?? (model.router as unknown as Router.Options | undefined)
  if (router === undefined || !Array.isArray(router.deployments)) {
    const issues = [
      issue(
        "router.deployments",
        router?.deployments,
        "the deployments of the router, or a gateway's file beside the scenario"
      )
    ]
    return Either.left(new ConfigError({ issues }))
  }
  const below = (path: string, issues: ReadonlyArray<ConfigIssue>): ReadonlyArray<ConfigIssue> =>
    issues.map((one) => ({ ...one, path: `${path}.${one.path}` }))
  const routerIssues = below("router", Router.check(router))
  const chosen = choose(model, router, given.compare)
  const issues = [
    ...routerIssues,
    ...upstreamIssues(model, readable(router)),
    ...workloadIssues(model, readable(router), given.trace),
    ...(Either.isLeft(chosen)
      ? chosen.left
      : routerIssues.length > 0
        ? []
        : chosen.right.flatMap((variant) => below(`variants.${variant.name}`, Router.check(variant.options))))
  ]
  if (issues.length > 0 || Either.isLeft(chosen)) return Either.left(new ConfigError({ issues: [...issues] }))
  return Either.right({ model, router, variants: chosen.right, trace: given.trace })
}
