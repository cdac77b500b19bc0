import { describe, expect, it } from "@effect/vitest"
import { Tracer } from "effect"
import { fromHeaders, toHeaders } from "../../src/shared/TraceContext.js"

const traceId = "0af7651916cd43dd8448eb211c80319c"
const spanId = "b7ad6b7169203331"
const traceparent = `00-${traceId}-${spanId}-01`

describe("a place in a trace", () => {
  it("is read from headers and told in headers as it came", () => {
    for (const headers of [
      { traceparent },
      { traceparent, tracestate: "a=1,b=2" },
      { traceparent: traceparent.replace(/01$/, "00") }
    ]) {
      const read = fromHeaders(headers)
      expect(read && toHeaders(read)).toEqual(headers)
    }
  })

  it("of a version to come is read by what is known of it, and told in version 00", () => {
    const read = fromHeaders({ traceparent: `cc-${traceId}-${spanId}-03-what-ever` })
    expect(read && toHeaders(read)).toEqual({ traceparent })
  })

  it("that is not valid counts as absent", () => {
    for (const wrong of [
      "",
      "00",
      traceparent.toUpperCase(),
      ` ${traceparent}`,
      `${traceparent}-more`,
      `ff-${traceId}-${spanId}-01`,
      `00-${"0".repeat(32)}-${spanId}-01`,
      `00-${traceId}-${"0".repeat(16)}-01`,
      `00-${traceId}-${spanId}-0`,
      `00-${traceId.slice(1)}-${spanId}-01`,
      `${traceparent}, ${traceparent}`,
      `${traceparent}\r\nx-evil: 1`
    ]) {
      expect([wrong, fromHeaders({ traceparent: wrong })]).toEqual([wrong, undefined])
    }
    expect(fromHeaders({ tracestate: "a=1" })).toBeUndefined()
    expect(fromHeaders({ traceparent: [traceparent] })).toBeUndefined()
  })

  it("loses a state that is too long or cannot be sent, and nothing else", () => {
    for (const tracestate of ["x".repeat(513), "a=\n", "", ["a=1"]]) {
      const read = fromHeaders({ traceparent, tracestate })
      expect(read && toHeaders(read)).toEqual({ traceparent })
    }
  })

  it("with ids that no header can carry is not told", () => {
    expect(toHeaders({ span: Tracer.externalSpan({ traceId: "native", spanId }), state: "a=1" })).toEqual({})
  })
})
