import type { Health } from "@switchyard/ledger/Health"
import * as Metrics from "@switchyard/router/Metrics"

interface LedgerMetric {
  /** Without the prefix. */
  readonly name: string
  readonly help: string
  readonly type: "gauge" | "counter"
  readonly value: (health: Health, now: number) => number
}

/** What is told of the ledger, where there is one. @public */
export const ledgerMetrics: ReadonlyArray<LedgerMetric> = [
  {
    name: "ledger_up",
    help: "1 while the ledger's store answers, 0 while it does not and what happens waits in the journal.",
    type: "gauge",
    value: ({ state }) => (state === "up" ? 1 : 0)
  },
  {
    name: "ledger_waiting_bytes",
    help: "Bytes of the ledger's journal that are not in its store yet.",
    type: "gauge",
    value: ({ waitingBytes }) => Math.max(0, waitingBytes)
  },
  {
    name: "ledger_records_lost_total",
    help: "Records that found no room in the ledger's journal, because its spool or the disk is full.",
    type: "counter",
    value: ({ lost }) => lost
  },
  {
    name: "ledger_write_age_seconds",
    help: "For how long the ledger's store has taken nothing, because it does not answer; 0 while it does.",
    type: "gauge",
    value: ({ awaySince }, now) => (awaySince === undefined ? 0 : Math.max(0, now - awaySince) / 1000)
  }
]

/** The families at this moment, `now` in wall-clock ms, under the options of the metrics in force. */
export const ledgerFamilies = (
  health: Health,
  now: number,
  options: Metrics.Options
): ReadonlyArray<Metrics.Family> => {
  const { labels = {}, prefix = Metrics.defaults.prefix } = options
  return ledgerMetrics.map(({ help, name, type, value }) => ({
    type,
    name: `${prefix}_${name}`,
    help,
    series: [{ labels: Object.entries(labels), value: value(health, now) }]
  }))
}
