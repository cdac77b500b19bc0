/**
 * Explains where a request would go under a configuration. The tower is built as `serve` builds it, over a base that is
 * never called, so every breaker is closed and every limit unused: what is left are the rules.
 */

import { nearest } from "@switchyard/core/Closest"
import type { GatewayConfig } from "@switchyard/gateway/GatewayConfig"
import type { Explanation, FailureKind, Verdict } from "@switchyard/router/Explain"
import { Effect } from "effect"
import { requireFile } from "./configuration.js"
import { CommandError, failed, hasColours, type Paint, painter, plain, print, printError } from "./output.js"
import { table } from "./table.js"

/** What `route` is asked. */
export interface Flags {
  readonly file: string
  /** Undefined where only the stack is shown. */
  readonly model: string | undefined
  /** Shows what the router is made of, in place of a route. */
  readonly stack: boolean
  readonly tag: ReadonlyArray<string>
  readonly region: string | undefined
  readonly stream: boolean
  readonly tools: boolean
  readonly json: boolean
}

/** What a route is asked. */
export interface Asked extends Omit<Flags, "file" | "json" | "stack" | "model"> {
  readonly model: string
}

/** What may be asked for under a configuration. */
const names = ({ router }: GatewayConfig): ReadonlyArray<string> => [
  ...new Set([...router.deployments.map(({ group }) => group), ...Object.keys(router.aliases ?? {})])
]

const tool = { type: "function", function: { name: "look_up", parameters: { type: "object", properties: {} } } }

/** Builds the tower and asks it. */
export const explain = (config: GatewayConfig, flags: Asked) =>
  Effect.gen(function* () {
    const [Explain, LlmRequest, { routerOptions, towerOf }, Service, Time] = yield* Effect.promise(() =>
      Promise.all([
        import("@switchyard/router/Explain"),
        import("@switchyard/core/LlmRequest"),
        import("@switchyard/gateway/Generations"),
        import("@switchyard/core/Service"),
        import("@switchyard/core/Time")
      ])
    )
    const { healthProbes: _, ...options } = routerOptions(config)
    const base = Service.attempt(() => Effect.dieMessage("a route is explained, not called"))
    const tower = yield* Effect.mapError(
      towerOf(config, options, base),
      ({ message }) => new CommandError({ message: `route: ${plain(message)}` })
    )
    const { model, region, stream, tag, tools } = flags
    const { requests } = config
    const request = LlmRequest.chat(
      { model: requests.model ?? model, messages: [], stream, ...(tools ? { tools: [tool] } : {}) },
      {
        tags: requests.tags === "ignore" ? [] : tag,
        demands: {
          ...(requests.tagMatch === undefined ? {} : { tagMatch: requests.tagMatch }),
          ...(region === undefined ? {} : { region })
        }
      }
    )
    return Explain.explain(tower, request, yield* Time.now)
  }).pipe(Effect.scoped)

const filters: Readonly<Record<string, string>> = {
  pinned: "another deployment was asked for by id",
  region: "not in the region",
  requiredTags: "lacks a required tag",
  excludedTags: "bears an excluded tag",
  tags: "tags do not match",
  capabilities: "lacks a capability",
  contextWindow: "the prompt does not fit"
}

const expectation = ({ isWithin, ms, usd }: NonNullable<Verdict["expected"]>): string =>
  [
    ms === undefined ? "time not known yet" : `about ${(ms / 1000).toFixed(1)} s`,
    usd === undefined ? "price not known" : `${usd.toPrecision(3)} USD`,
    ...(isWithin === undefined ? [] : [isWithin ? "within the objective" : "beyond the objective"])
  ].join(", ")

const why = ({ expected, filter, forced, reason }: Verdict): string =>
  [
    filter === undefined ? undefined : (filters[filter] ?? filter),
    reason,
    expected === undefined ? undefined : expectation(expected),
    forced === true ? "asked all the same: nothing else is left" : undefined
  ]
    .filter((part) => part !== undefined)
    .join("; ")

const failures: Readonly<Record<FailureKind, string>> = {
  general: "it fails",
  rateLimit: "it is rate limited",
  contextWindow: "the prompt is too long",
  contentPolicy: "content is refused",
  invalidRequest: "the request is invalid",
  unknownModel: "the model is unknown"
}

const fallbackLines = ({ fallbacks }: Explanation): ReadonlyArray<string> =>
  fallbacks.length === 0
    ? ["No fallbacks follow."]
    : [
        "Fallbacks that would follow:",
        table(
          [{ title: "when" }, { title: "then" }],
          fallbacks.map(({ failure, targets }) => [
            failures[failure],
            plain(
              targets
                .map(({ model, overrides }) => (overrides === undefined ? model : `${model} (own fields)`))
                .join(", ")
            )
          ])
        )
      ]

/** The explanation of a model that is known, as text. */
export const render = (explanation: Explanation, paint: Paint): string => {
  const { because, captures, deployments, path, strategy } = explanation
  const rows = deployments.map((verdict) => [
    plain(verdict.deployment),
    plain(verdict.model),
    String(verdict.tier + 1),
    verdict.verdict === "candidate" ? paint("green", "candidate") : paint("red", "out"),
    why(verdict)
  ])
  const candidates = deployments.filter(({ verdict }) => verdict === "candidate").length
  return [
    `Model     ${plain(path.join(" → "))}: ${plain(because)}${captures.length > 0 ? `; * is ${plain(captures.join(", "))}` : ""}`,
    `Strategy  ${strategy ?? "none"}, among ${candidates} of ${deployments.length}`,
    "",
    table(
      [
        { title: "deployment" },
        { title: "model" },
        { title: "tier", align: "right" },
        { title: "verdict" },
        { title: "why" }
      ],
      rows
    ),
    "",
    ...fallbackLines(explanation)
  ].join("\n")
}

/** One line on a model that nobody serves. */
export const unknown = (explanation: Pick<Explanation, "because" | "model">, known: ReadonlyArray<string>): string => {
  const near = nearest(explanation.model, known)
  const hint =
    near.length > 0
      ? `did you mean ${near.join(" or ")}?`
      : `there is ${known.slice(0, 10).join(", ")}${known.length > 10 ? `, and ${known.length - 10} more` : ""}`
  return plain(`${explanation.because}; ${hint}`)
}

const showStack = (config: GatewayConfig, { json }: Flags) =>
  Effect.gen(function* () {
    const StackReport = yield* Effect.promise(() => import("./StackReport.js"))
    const view = yield* StackReport.look(config)
    yield* print(
      json ? JSON.stringify(view, null, 2) : StackReport.render(view, config, painter(hasColours(process.stdout)))
    )
  })

/** Explains; exit code 1 for a model that nobody serves. */
export const run = (flags: Flags) =>
  Effect.gen(function* () {
    const { config } = yield* requireFile("route", flags.file, { unsetVariables: "note" })
    if (flags.stack) return yield* showStack(config, flags)
    const { model } = flags
    if (model === undefined) {
      return yield* new CommandError({
        message: "route: --model M says which model, or --stack shows the router itself"
      })
    }
    const explanation = yield* explain(config, { ...flags, model })
    if (flags.json) yield* print(JSON.stringify(explanation, null, 2))
    if (explanation.group === undefined) {
      yield* failed
      yield* printError(`switchyard: route: ${unknown(explanation, names(config))}`)
      if (!flags.json && explanation.fallbacks.length > 0) yield* print(fallbackLines(explanation).join("\n"))
    } else if (!flags.json) yield* print(render(explanation, painter(hasColours(process.stdout))))
  })
