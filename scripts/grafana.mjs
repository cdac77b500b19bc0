// Writes ops/grafana-dashboard.json from the panels below; `--check` fails when the file is not what they say.
// Each panel is a title, a unit, and lines: a legend and a query. `$model` and `$deployment` are the dashboard's variables.
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const file = "ops/grafana-dashboard.json"
const path = fileURLToPath(new URL(`../${file}`, import.meta.url))

const group = 'model=~"$model"'
const deployment = `${group},deployment=~"$deployment"`
const rate = (name, labels, by, range = "$__rate_interval") =>
  `sum by (${by}) (rate(switchyard_${name}{${labels}}[${range}]))`
const total = (name, labels = group) => `sum(rate(switchyard_${name}{${labels}}[$__rate_interval]))`
const quantile = (q, name, labels, by) =>
  `histogram_quantile(${q}, sum by (le, ${by}) (rate(switchyard_${name}_bucket{${labels}}[$__rate_interval])))`
const share = (part, whole) => `${part} / (${whole} > 0)`

const series = (title, unit, lines, more = {}) => ({ type: "timeseries", title, unit, lines, width: 8, ...more })
const figure = (title, unit, query, more = {}) => ({
  type: "stat",
  title,
  unit,
  lines: [["", query]],
  width: 4,
  ...more
})

const rows = [
  {
    title: "Requests",
    panels: [
      figure("Requests a second", "reqps", total("requests_total")),
      figure("Answered", "percentunit", share(total("requests_success_total"), total("requests_total"))),
      figure("In progress", "short", `sum(switchyard_active_requests{${group}})`),
      figure("USD an hour", "currencyUSD", `${total("cost_usd_total")} * 3600`),
      figure("Fallback share", "percentunit", share(total("fallbacks_total"), total("requests_total"))),
      figure(
        "Cache hits",
        "percentunit",
        share(total("cache_hits_total"), `(${total("cache_hits_total")} + ${total("cache_misses_total")})`)
      ),
      series("Requests by group", "reqps", [["{{model}}", rate("requests_total", group, "model")]]),
      series("Errors by reason", "reqps", [["{{reason}}", rate("requests_error_total", group, "reason")]], {
        stack: true
      }),
      series("Given up by the caller", "reqps", [["{{model}}", rate("requests_abandoned_total", group, "model")]]),
      series(
        "Latency of whole answers",
        "s",
        [
          ["{{model}} p50", quantile(0.5, "request_latency_seconds", `${group},outcome="success"`, "model")],
          ["{{model}} p95", quantile(0.95, "request_latency_seconds", `${group},outcome="success"`, "model")],
          ["{{model}} p99", quantile(0.99, "request_latency_seconds", `${group},outcome="success"`, "model")]
        ],
        { exemplars: true }
      ),
      series(
        "Time to the first content of streams",
        "s",
        [
          ["{{model}} p50", quantile(0.5, "ttft_seconds", group, "model")],
          ["{{model}} p95", quantile(0.95, "ttft_seconds", group, "model")]
        ],
        { exemplars: true }
      ),
      series("In progress by group", "short", [["{{model}}", `sum by (model) (switchyard_active_requests{${group}})`]])
    ]
  },
  {
    title: "Tokens and money",
    panels: [
      series("Tokens a second", "short", [
        ["{{model}} in", rate("input_tokens_total", group, "model")],
        ["{{model}} out", rate("output_tokens_total", group, "model")]
      ]),
      series(
        "USD an hour by group",
        "currencyUSD",
        [["{{model}}", `${rate("cost_usd_total", group, "model")} * 3600`]],
        { stack: true }
      ),
      series(
        "USD an hour by provider",
        "currencyUSD",
        [["{{provider}}", `${rate("cost_usd_total", group, "provider")} * 3600`]],
        { stack: true }
      ),
      series("Tokens of one request, p95", "short", [
        ["{{model}} in", quantile(0.95, "request_input_tokens", group, "model")],
        ["{{model}} out", quantile(0.95, "request_output_tokens", group, "model")]
      ]),
      series("Embeddings", "short", [
        ["{{model}} requests a second", rate("embedding_requests_total", group, "model")],
        ["{{model}} tokens a second", rate("embedding_tokens_total", group, "model")]
      ]),
      series("Cache", "reqps", [
        ["{{model}} hits", rate("cache_hits_total", group, "model")],
        ["{{model}} misses", rate("cache_misses_total", group, "model")]
      ]),
      series("Images, audio, moderations and rankings", "reqps", [
        ["{{model}} {{operation}}", rate("operation_requests_total", group, "model, operation")]
      ]),
      series("Units beside tokens, a second", "short", [
        ["{{model}} {{unit}}", rate("units_total", group, "model, unit")]
      ])
    ]
  },
  {
    title: "Deployments",
    panels: [
      {
        type: "state-timeline",
        title: "Takes calls",
        unit: "short",
        lines: [
          [
            "{{deployment}} ({{instance}})",
            `min by (deployment, instance) (switchyard_deployment_available{${deployment}})`
          ]
        ],
        width: 12,
        states: [
          [0, "closed to calls", "red"],
          [1, "takes calls", "green"]
        ]
      },
      {
        type: "state-timeline",
        title: "Breaker",
        unit: "short",
        // One series for each deployment: 0 closed, 1 on trial, 2 open.
        lines: [
          [
            "{{deployment}} ({{instance}})",
            `sum by (deployment, instance) (switchyard_deployment_state{${deployment},state="half_open"}) + 2 * sum by (deployment, instance) (switchyard_deployment_state{${deployment},state="open"})`
          ]
        ],
        width: 12,
        states: [
          [0, "closed", "green"],
          [1, "on trial", "yellow"],
          [2, "open", "red"]
        ]
      },
      {
        type: "state-timeline",
        title: "Health",
        unit: "short",
        // One series for each deployment: 0 unknown, 1 healthy, 2 degraded, 3 unhealthy, 4 in cooldown.
        lines: [
          [
            "{{deployment}} ({{instance}})",
            ["healthy", "degraded", "unhealthy", "cooldown"]
              .map((state, i) => {
                const one = `sum by (deployment, instance) (switchyard_deployment_health{${deployment},state="${state}"})`
                return i === 0 ? one : `${i + 1} * ${one}`
              })
              .join(" + ")
          ]
        ],
        width: 12,
        states: [
          [0, "unknown", "blue"],
          [1, "healthy", "green"],
          [2, "degraded", "yellow"],
          [3, "unhealthy", "orange"],
          [4, "cooldown", "red"]
        ]
      },
      series(
        "The last minute",
        "short",
        [
          [
            "{{deployment}} attempts",
            `sum by (deployment) (switchyard_deployment_last_minute_requests{${deployment}})`
          ],
          ["{{deployment}} failed", `sum by (deployment) (switchyard_deployment_last_minute_failures{${deployment}})`]
        ],
        { width: 6 }
      ),
      series(
        "Tokens of the last minute",
        "short",
        [["{{deployment}}", `sum by (deployment) (switchyard_deployment_last_minute_tokens{${deployment}})`]],
        { width: 6 }
      ),
      series("Attempts", "reqps", [
        ["{{deployment}} {{outcome}}", rate("attempts_total", deployment, "deployment, outcome")]
      ]),
      series(
        "Failed attempts by reason",
        "reqps",
        [
          ["{{deployment}} {{reason}}", rate("attempts_total", `${deployment},outcome="failure"`, "deployment, reason")]
        ],
        { stack: true }
      ),
      series("In flight", "short", [
        ["{{deployment}}", `sum by (deployment) (switchyard_deployment_in_flight{${deployment}})`]
      ]),
      series(
        "Latency of attempts, p95",
        "s",
        [
          ["{{deployment}}", quantile(0.95, "attempt_latency_seconds", `${deployment},outcome="success"`, "deployment")]
        ],
        { exemplars: true }
      ),
      series("Moving averages that routing goes by", "s", [
        ["{{deployment}} answer", `avg by (deployment) (switchyard_deployment_latency_ema_seconds{${deployment}})`],
        ["{{deployment}} first content", `avg by (deployment) (switchyard_deployment_ttft_ema_seconds{${deployment}})`]
      ]),
      series(
        "Headroom of limits",
        "percentunit",
        [
          [
            "{{deployment}} ({{instance}})",
            `min by (deployment, instance) (switchyard_deployment_headroom_ratio{${deployment}})`
          ]
        ],
        { max: 1 }
      ),
      series("Requests left in this minute", "short", [
        ["{{deployment}}", `sum by (deployment) (switchyard_deployment_rpm_headroom{${deployment}})`]
      ]),
      series("Tokens left in this minute", "short", [
        ["{{deployment}}", `sum by (deployment) (switchyard_deployment_tpm_headroom{${deployment}})`]
      ]),
      series("Calls at once, and how many are borne", "short", [
        ["{{deployment}} borne", `sum by (deployment) (switchyard_deployment_concurrency_limit{${deployment}})`],
        ["{{deployment}} in flight", `sum by (deployment) (switchyard_deployment_in_flight{${deployment}})`]
      ])
    ]
  },
  {
    title: "What the router did about it",
    panels: [
      series("Retries by reason", "reqps", [["{{reason}}", rate("retries_total", deployment, "reason")]], {
        stack: true
      }),
      series("Fallbacks by kind", "reqps", [["{{model}} {{kind}}", rate("fallbacks_total", group, "model, kind")]], {
        stack: true
      }),
      series("Hedges", "reqps", [
        ["{{deployment}} too slow", rate("hedges_total", deployment, "deployment")],
        ["{{deployment}} answered first", rate("hedges_won_total", deployment, "deployment")]
      ]),
      series(
        "Cooldowns that began",
        "short",
        [
          [
            "{{deployment}} {{reason}}",
            `sum by (deployment, reason) (increase(switchyard_cooldowns_total{${deployment}}[$__rate_interval]))`
          ]
        ],
        { bars: true }
      ),
      series(
        "Health probes",
        "short",
        [
          [
            "{{deployment}} out",
            `sum by (deployment) (increase(switchyard_probe_failures_total{${deployment}}[$__rate_interval]))`
          ],
          [
            "{{deployment}} back in",
            `sum by (deployment) (increase(switchyard_probe_recoveries_total{${deployment}}[$__rate_interval]))`
          ]
        ],
        { bars: true }
      ),
      series(
        "Streams begun again",
        "reqps",
        [["{{deployment}} {{reason}}", rate("stream_restarts_total", deployment, "deployment, reason")]],
        { stack: true }
      ),
      series(
        "Requests that were turned away",
        "reqps",
        [["{{model}}", rate("requests_throttled_total", group, "model")]],
        {
          stack: true
        }
      ),
      series(
        "Budgets that ran out",
        "short",
        [["{{scope}}", "sum by (scope) (increase(switchyard_budgets_exhausted_total[$__rate_interval]))"]],
        { bars: true }
      ),
      series(
        "Budgets that are nearly spent",
        "short",
        [["{{scope}}", "sum by (scope) (increase(switchyard_budgets_nearly_spent_total[$__rate_interval]))"]],
        { bars: true }
      ),
      series(
        "Batches that settled",
        "short",
        [["{{reason}}", "sum by (reason) (increase(switchyard_batches_settled_total[$__rate_interval]))"]],
        { bars: true }
      ),
      series(
        "Fields left out in translation",
        "short",
        [
          [
            "{{from}} to {{to}}: {{field}}",
            "sum by (from, to, field) (increase(switchyard_fields_left_out_total[$__rate_interval]))"
          ]
        ],
        { bars: true }
      )
    ]
  },
  {
    title: "Ledger",
    panels: [
      series("The store answers", "short", [["{{instance}}", "min by (instance) (switchyard_ledger_up)"]], { max: 1 }),
      series("Silent for", "s", [["{{instance}}", "max by (instance) (switchyard_ledger_write_age_seconds)"]]),
      series("Waiting in the journal", "bytes", [
        ["{{instance}}", "max by (instance) (switchyard_ledger_waiting_bytes)"]
      ]),
      series(
        "Records lost",
        "short",
        [["{{instance}}", "sum by (instance) (increase(switchyard_ledger_records_lost_total[$__rate_interval]))"]],
        { bars: true }
      )
    ]
  },
  {
    title: "Fleet",
    panels: [
      series("Workers that serve", "short", [["{{instance}}", "min by (instance) (switchyard_workers)"]]),
      series(
        "Workers begun anew",
        "short",
        [["{{instance}}", "sum by (instance) (increase(switchyard_worker_restarts_total[$__rate_interval]))"]],
        { bars: true }
      ),
      series(
        "What is shared decides",
        "short",
        [["{{instance}} {{engine}}", "min by (instance, engine) (switchyard_shared_state_up)"]],
        { max: 1 }
      ),
      series("Gateways that each knows", "short", [
        ["{{instance}}", "max by (instance) (switchyard_shared_state_replicas)"]
      ]),
      series("Questions to what is shared", "reqps", [
        [
          "{{engine}} {{outcome}}",
          "sum by (engine, outcome) (rate(switchyard_shared_state_questions_total[$__rate_interval]))"
        ]
      ]),
      series(
        "Its answers took",
        "s",
        [0.5, 0.99].map((q) => [
          `p${q * 100}`,
          `histogram_quantile(${q}, sum by (le) (rate(switchyard_shared_state_answer_seconds_bucket[$__rate_interval])))`
        ])
      )
    ]
  }
]

const datasource = { type: "prometheus", uid: "$datasource" }

/**
 * @typedef {object} Panel
 * @property {string} type
 * @property {string} title
 * @property {string} unit
 * @property {Array<Array<string>>} lines
 * @property {number} width
 * @property {boolean} [bars]
 * @property {boolean} [exemplars]
 * @property {number} [max]
 * @property {boolean} [stack]
 * @property {Array<[value: string | number, text: string | number, color: string]>} [states]
 */

const targets = (lines, { exemplars = false }) =>
  lines.map(([legendFormat, expr], index) => ({
    refId: String.fromCharCode(65 + index),
    datasource,
    editorMode: "code",
    expr,
    legendFormat: legendFormat === "" ? "__auto" : legendFormat,
    range: true,
    ...(exemplars && index === 0 ? { exemplar: true } : {})
  }))

/** @param {Panel} panel */
const defaultsOf = ({ bars = false, max, stack = false, states, type, unit }) => ({
  unit,
  min: 0,
  ...(max === undefined ? {} : { max }),
  ...(states === undefined
    ? {}
    : {
        mappings: [
          {
            type: "value",
            options: Object.fromEntries(states.map(([value, text, color], index) => [value, { color, index, text }]))
          }
        ]
      }),
  custom:
    type === "timeseries"
      ? {
          drawStyle: bars ? "bars" : "line",
          fillOpacity: stack || bars ? 30 : 5,
          lineWidth: 1,
          showPoints: "never",
          stacking: { mode: stack ? "normal" : "none" }
        }
      : type === "state-timeline"
        ? { fillOpacity: 80, lineWidth: 0 }
        : {}
})

/** @param {Panel} panel */
const optionsOf = ({ type }) =>
  type === "stat"
    ? { colorMode: "none", graphMode: "area", reduceOptions: { calcs: ["lastNotNull"] } }
    : type === "state-timeline"
      ? { mergeValues: true, showValue: "never", legend: { displayMode: "list", placement: "bottom" } }
      : { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } }

/** Panels from left to right, and down when a line is full. */
const layOut = () => {
  const panels = []
  let id = 1
  let y = 0
  for (const row of rows) {
    panels.push({
      id: id++,
      type: "row",
      title: row.title,
      collapsed: false,
      gridPos: { h: 1, w: 24, x: 0, y: y++ },
      panels: []
    })
    let x = 0
    let height = 0
    for (const panel of /** @type {Array<Panel>} */ (row.panels)) {
      const h = panel.type === "stat" ? 4 : 8
      if (x + panel.width > 24) {
        y += height
        x = 0
        height = 0
      }
      panels.push({
        id: id++,
        type: panel.type,
        title: panel.title,
        datasource,
        gridPos: { h, w: panel.width, x, y },
        targets: targets(panel.lines, panel),
        fieldConfig: { defaults: defaultsOf(panel), overrides: [] },
        options: optionsOf(panel)
      })
      x += panel.width
      height = Math.max(height, h)
    }
    y += height
  }
  return panels
}

const variable = (name, label, query) => ({
  name,
  label,
  type: "query",
  datasource,
  definition: query,
  query: { query, refId: name },
  refresh: 2,
  sort: 1,
  includeAll: true,
  multi: true,
  allValue: ".*",
  current: { selected: true, text: ["All"], value: ["$__all"] }
})

const dashboard = {
  uid: "switchyard",
  title: "Switchyard",
  description: "Written by scripts/grafana.mjs; edit the panels there.",
  tags: ["switchyard", "llm"],
  schemaVersion: 38,
  version: 1,
  editable: true,
  graphTooltip: 1,
  refresh: "30s",
  time: { from: "now-3h", to: "now" },
  timezone: "browser",
  templating: {
    list: [
      { name: "datasource", label: "Data source", type: "datasource", query: "prometheus", refresh: 1 },
      variable("model", "Group", "label_values(switchyard_deployment_available, model)"),
      variable("deployment", "Deployment", 'label_values(switchyard_deployment_available{model=~"$model"}, deployment)')
    ]
  },
  annotations: {
    list: [
      {
        name: "Alerts",
        datasource,
        enable: true,
        iconColor: "red",
        expr: 'ALERTS{alertname=~"Switchyard.*",alertstate="firing"}',
        titleFormat: "{{alertname}}",
        textFormat: "{{model}} {{deployment}} {{instance}}"
      }
    ]
  },
  panels: layOut()
}

if (process.argv.includes("--check")) {
  let found = ""
  try {
    found = readFileSync(path, "utf8")
  } catch {}
  if (JSON.stringify(JSON.parse(found || "null")) !== JSON.stringify(dashboard)) {
    console.error(`${file} is not what its panels say: node scripts/grafana.mjs writes it.`)
    process.exit(1)
  }
  console.log(`${file}: ${dashboard.panels.length} panels, up to date`)
} else {
  writeFileSync(path, JSON.stringify(dashboard))
  execFileSync(fileURLToPath(new URL("../node_modules/.bin/biome", import.meta.url)), ["format", "--write", path])
  console.log(`${file}: ${dashboard.panels.length} panels written`)
}
