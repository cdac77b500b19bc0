/**
 * Which trace a request belongs to: read from the W3C headers of who sent it, told to whom it is sent on. A tracing layer
 * puts its own span in; without one the caller's goes on as it came.
 */
import { Tracer } from "effect"

/** A place in a trace. */
export interface TraceContext {
  /** The span under which everything that comes next happens. */
  readonly span: Tracer.AnySpan
  /** `tracestate`, as it came. */
  readonly state: string | undefined
}

const parentHeader = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const stateHeader = /^[\x20-\x7e]{1,512}$/
const zeros = /^0+$/

/** Ids that a header can carry; a tracer may make others. */
const isW3c = ({ spanId, traceId }: Tracer.AnySpan): boolean => traceId.length === 32 && spanId.length === 16

/**
 * Reads `traceparent` and `tracestate`. A header that is not valid counts as absent; a `tracestate` of more than 512
 * characters is left out.
 */
export const fromHeaders = (
  headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
): TraceContext | undefined => {
  const { traceparent, tracestate } = headers
  if (typeof traceparent !== "string") return undefined
  const [, version, traceId = "", spanId = "", flags = "", rest] = parentHeader.exec(traceparent) ?? []
  if (version === undefined || version === "ff" || (version === "00" && rest !== undefined)) return undefined
  if (zeros.test(traceId) || zeros.test(spanId)) return undefined
  return {
    span: Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }),
    state: typeof tracestate === "string" && stateHeader.test(tracestate) ? tracestate : undefined
  }
}

/** The headers that tell a place in a trace; none where its ids are not W3C's. */
export const toHeaders = ({ span, state }: TraceContext): Readonly<Record<string, string>> => {
  if (!isW3c(span)) return {}
  const traceparent = `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}`
  return state === undefined ? { traceparent } : { traceparent, tracestate: state }
}
