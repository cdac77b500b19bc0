import { answerBounds, type EngineGuard, type Outcome } from "@switchyard/router/EngineGuard"
import * as Metrics from "@switchyard/router/Metrics"

/** What is told of the state that gateways share, where they do. Names are without the prefix. @public */
export const stateMetrics = {
  up: {
    name: "shared_state_up",
    help: "1 while what gateways share decides, 0 while this one decides by itself, with its share of every limit.",
    type: "gauge",
    labels: ["engine"]
  },
  replicas: {
    name: "shared_state_replicas",
    help: "Gateways that said lately that they are there, this one included; the last known number while nobody can say so.",
    type: "gauge",
    labels: ["engine"]
  },
  questions: {
    name: "shared_state_questions_total",
    help: "Questions to what gateways share, by how they ended: answered, slow, away, refused.",
    type: "counter",
    labels: ["engine", "outcome"]
  },
  answers: {
    name: "shared_state_answer_seconds",
    help: "How long what gateways share took to answer.",
    type: "histogram",
    labels: ["engine"]
  }
} as const

const outcomes: ReadonlyArray<Outcome> = ["answered", "slow", "away", "refused"]

type Told = Pick<EngineGuard, "figures" | "mode" | "replicas"> & {
  readonly engine: Pick<EngineGuard["engine"], "name">
}

/** The families at this moment, under the options of the metrics in force. */
export const stateFamilies = (
  { engine, figures, mode, replicas }: Told,
  options: Metrics.Options
): ReadonlyArray<Metrics.Family> => {
  const { labels = {}, prefix = Metrics.defaults.prefix } = options
  // The rest of the name says where it is.
  const own = [...Object.entries(labels), ["engine", engine.name.split(" ")[0] ?? ""] as const]
  const named = <Type>({
    help,
    name,
    type
  }: {
    readonly help: string
    readonly name: string
    readonly type: Type
  }) => ({
    type,
    name: `${prefix}_${name}`,
    help
  })
  let count = 0
  const buckets = answerBounds.map((bound, at) => {
    count += figures.within[at] ?? 0
    return [bound / 1000, count] as const
  })
  return [
    { ...named(stateMetrics.up), series: [{ labels: own, value: mode() === "shared" ? 1 : 0 }] },
    { ...named(stateMetrics.replicas), series: [{ labels: own, value: replicas().count }] },
    {
      ...named(stateMetrics.questions),
      series: outcomes.map((outcome) => ({
        labels: [...own, ["outcome", outcome] as const],
        value: figures.outcomes[outcome]
      }))
    },
    {
      ...named(stateMetrics.answers),
      series: [{ labels: own, buckets, sum: figures.sum / 1000, count: figures.outcomes.answered }]
    }
  ]
}
