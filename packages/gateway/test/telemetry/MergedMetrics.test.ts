import { assert, describe, it } from "@effect/vitest"
import * as MergedMetrics from "@switchyard/gateway/MergedMetrics"

const text = (requests: number, buckets: readonly [number, number], more = "") => `# HELP sw_requests_total Requests.
# TYPE sw_requests_total counter
sw_requests_total{model="a b",note="} 1 \\"x\\""} ${requests}
# TYPE sw_latency_seconds histogram
sw_latency_seconds_bucket{le="1"} ${buckets[0]}
sw_latency_seconds_bucket{le="+Inf"} ${buckets[1]}
sw_latency_seconds_sum ${buckets[1] / 2}
sw_latency_seconds_count ${buckets[1]}
${more}`

const gauge = (name: string, labels: string, value: number) => `# TYPE sw_${name} gauge\nsw_${name}${labels} ${value}\n`

describe("the metrics of several processes", () => {
  it("counters and histograms are added up, series that only one knows stay", () => {
    const merged = MergedMetrics.merge([
      text(3, [1, 2]),
      text(4, [5, 7], '# TYPE sw_own_total counter\nsw_own_total{a="b"} 9\n')
    ])
    assert.strictEqual(
      merged,
      `# TYPE sw_latency_seconds histogram
sw_latency_seconds_bucket{le="1"} 6
sw_latency_seconds_bucket{le="+Inf"} 9
sw_latency_seconds_sum 4.5
sw_latency_seconds_count 9
# TYPE sw_own_total counter
sw_own_total{a="b"} 9
# HELP sw_requests_total Requests.
# TYPE sw_requests_total counter
sw_requests_total{model="a b",note="} 1 \\"x\\""} 7
`
    )
  })
  const rules: ReadonlyArray<readonly [name: string, values: readonly [number, number], wanted: number]> = [
    ["active_requests", [2, 3], 5],
    ["deployment_available", [1, 0], 0],
    ["deployment_rpm_headroom", [40, 38], 38],
    ["deployment_latency_ema_seconds", [1, 2], 1.5],
    ["ledger_up", [1, 0], 0],
    ["ledger_write_age_seconds", [0, 7], 7]
  ]
  for (const [name, [one, other], wanted] of rules) {
    it(`${name}: ${one} and ${other} are ${wanted}`, () => {
      const merged = MergedMetrics.merge([gauge(name, '{d="a"}', one), gauge(name, '{d="a"}', other)])
      assert.include(merged, `sw_${name}{d="a"} ${wanted}\n`)
    })
  }
  it("of states that exclude each other the gravest is told, and no other", () => {
    const states = (open: number, closed: number) =>
      `# TYPE sw_deployment_state gauge\nsw_deployment_state{d="a",state="open"} ${open}\nsw_deployment_state{d="a",state="closed"} ${closed}\n`
    const merged = MergedMetrics.merge([states(0, 1), states(1, 0)])
    assert.include(merged, 'state="open"} 1\n')
    assert.include(merged, 'state="closed"} 0\n')
  })
  it("what one has counted that is gone still counts, and none of its gauges", () => {
    const gone = MergedMetrics.lasting(text(3, [1, 2], gauge("active_requests", "", 2)))
    assert.notInclude(gone, "active_requests")
    assert.include(MergedMetrics.merge([gone, text(4, [0, 0])]), 'note="} 1 \\"x\\""} 7\n')
  })
  it("OpenMetrics stays what it is, exemplars too, beside what was kept in Prometheus' format", () => {
    const open = `# TYPE sw_requests counter\nsw_requests_total 4 # {trace_id="1"} 1\n# EOF\n`
    const gone = MergedMetrics.lasting(open)
    assert.strictEqual(gone, "# TYPE sw_requests_total counter\nsw_requests_total 4\n")
    assert.strictEqual(
      MergedMetrics.merge([open, gone]),
      `# TYPE sw_requests counter\nsw_requests_total 8 # {trace_id="1"} 1\n# EOF\n`
    )
  })
})
