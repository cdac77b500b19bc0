import { Option, Tracer } from "effect"

/** Which traces are kept, by OpenTelemetry's names. */
export interface Sampling {
  /** What happens to a trace that begins here, and to every one unless `followsParent`. */
  readonly root: "on" | "off" | "ratio"
  /** 0 to 1, for `ratio`. */
  readonly ratio: number
  /** A trace that began elsewhere is kept where its sender keeps it. */
  readonly followsParent: boolean
}

/** Of the 32 hex digits of a trace id the last 14 are random, and every service comes to the same decision by them. */
const randomDigits = 14
const range = 2 ** 56

const isKept = (
  { followsParent, ratio, root }: Sampling,
  traceId: string,
  parent: Tracer.AnySpan | undefined
): boolean => {
  if (followsParent && parent !== undefined) return parent.sampled
  if (root !== "ratio") return root === "on"
  return Number.parseInt(traceId.slice(-randomDigits), 16) >= (1 - ratio) * range
}

const nothing = (): void => {}

/** A span that nobody keeps: it has its place in the trace, and that is all. */
const unkept = ({ context, kind, links, name, parent, spanId, status, traceId }: Tracer.Span): Tracer.Span => ({
  _tag: "Span",
  name,
  spanId,
  traceId,
  parent,
  context,
  status,
  attributes: new Map(),
  links,
  sampled: false,
  kind,
  end: nothing,
  attribute: nothing,
  event: nothing,
  addLinks: nothing
})

/** A tracer that keeps some traces, each of them whole. */
export const sampledTracer = (tracer: Tracer.Tracer, sampling: Sampling): Tracer.Tracer =>
  Tracer.make({
    span: (...given) => {
      const span = tracer.span(...given)
      const parent = Option.getOrUndefined(given[1])
      const kept = parent?._tag === "Span" ? parent.sampled : isKept(sampling, span.traceId, parent)
      return kept ? span : unkept(span)
    },
    context: tracer.context
  })
