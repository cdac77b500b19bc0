/** A tracer that keeps every span in memory, in the order in which they began. */
import { type Context, Exit, Option, Tracer } from "effect"

/** A span as the tracer was told of it. */
export interface Kept {
  readonly name: string
  readonly kind: Tracer.SpanKind
  readonly traceId: string
  readonly spanId: string
  /** The id of its parent. */
  readonly parent: string | undefined
  readonly attributes: Record<string, unknown>
  readonly events: Array<{ readonly name: string; readonly attributes: Record<string, unknown> }>
  /** Wall-clock ms. */
  readonly startedAt: number
  endedAt: number | undefined
  exit: Exit.Exit<unknown, unknown> | undefined
  ends: number
}

const hex = (value: number, length: number): string => value.toString(16).padStart(length, "0")

/** The tracer, and what it keeps; `sampled` says of each new trace whether it is kept. */
export const memoryTracer = (sampled = true) => {
  const spans: Array<Kept> = []
  const ms = (at: bigint): number => Number(at) / 1e6
  const span = (
    name: string,
    parent: Option.Option<Tracer.AnySpan>,
    context: Context.Context<never>,
    links: ReadonlyArray<Tracer.SpanLink>,
    startTime: bigint,
    kind: Tracer.SpanKind
  ): Tracer.Span => {
    const above = Option.getOrUndefined(parent)
    const kept: Kept = {
      name,
      kind,
      traceId: above?.traceId ?? hex(spans.length + 1, 32),
      spanId: hex(spans.length + 1, 16),
      parent: above?.spanId,
      attributes: {},
      events: [],
      startedAt: ms(startTime),
      endedAt: undefined,
      exit: undefined,
      ends: 0
    }
    spans.push(kept)
    let status: Tracer.SpanStatus = { _tag: "Started", startTime }
    return {
      _tag: "Span",
      name,
      spanId: kept.spanId,
      traceId: kept.traceId,
      parent,
      context,
      get status() {
        return status
      },
      attributes: new Map(),
      links,
      sampled: above?.sampled ?? sampled,
      kind,
      attribute: (key, value) => {
        kept.attributes[key] = value
      },
      event: (event, _, attributes = {}) => {
        kept.events.push({ name: event, attributes })
      },
      addLinks: () => {},
      end: (endTime, exit) => {
        status = { _tag: "Ended", startTime, endTime, exit }
        kept.endedAt = ms(endTime)
        kept.exit = exit
        kept.ends++
      }
    }
  }
  return { spans, tracer: Tracer.make({ span, context: (f) => f() }) }
}

/** How a span ended, in a word. */
export const endOf = ({ exit }: Kept): "open" | "ok" | "interrupted" | "error" => {
  if (exit === undefined) return "open"
  if (Exit.isSuccess(exit)) return "ok"
  return Exit.isInterrupted(exit) ? "interrupted" : "error"
}
