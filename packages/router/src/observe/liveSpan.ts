import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import type { Outcome } from "@switchyard/core/Outcome"
import type { TraceContext } from "@switchyard/core/TraceContext"
import { Context, Exit, FiberId, Option, type Tracer } from "effect"
import type { Note } from "./routeNotes.js"
import { type Attributes, answered, ended, short } from "./spanAttributes.js"

/** What a tracer keeps of an error: no stack, and nothing that the provider said. */
const saidOf = ({ description, reason }: LlmError): string => short(`${reason}: ${description}`)

const exitOf = (outcome: Outcome): Exit.Exit<void, unknown> => {
  switch (outcome._tag) {
    case "Completed":
      return Exit.void
    case "Failed":
      return Exit.fail(saidOf(outcome.error))
    case "Abandoned":
      return Exit.interrupt(FiberId.none)
  }
}

/** Tracing must never hurt a request, whatever a tracer does. */
const safely = (f: () => void): void => {
  try {
    f()
  } catch {
    // A span that cannot be told is less than it could be, and that is all.
  }
}

const define = (span: Tracer.Span, attributes: Attributes): void => {
  for (const key in attributes) {
    const value = attributes[key]
    if (value !== undefined) span.attribute(key, value)
  }
}

/** Spans tell time in ns. */
const nanosOf = (ms: number): bigint => BigInt(Math.round(ms * 1e6))

/** Tells a span what happened at a moment, in monotonic ms. */
export const tell = (span: Tracer.Span, { attributes, name }: Note, at: number): void =>
  safely(() => {
    const said: Record<string, unknown> = {}
    for (const key in attributes) if (attributes[key] !== undefined) said[key] = attributes[key]
    span.event(name, nanosOf(at), said)
  })

/** What a span is begun with. */
export interface Beginning {
  readonly tracer: Tracer.Tracer
  readonly name: string
  readonly kind: Tracer.SpanKind
  /** Where it hangs; undefined begins a trace. */
  readonly parent: Tracer.AnySpan | undefined
  readonly state: string | undefined
}

/** The span of a request or an attempt that runs, and what it needs to know of it. */
export class LiveSpan {
  readonly trace: TraceContext
  private firstContentAt: number | undefined
  response: LlmResponse | undefined

  private constructor(
    readonly span: Tracer.Span,
    state: string | undefined,
    private readonly startedAt: number
  ) {
    this.trace = { span, state }
  }

  /** Begins a span at a time in monotonic ms; undefined when the tracer fails. */
  static begin(at: number, { kind, name, parent, state, tracer }: Beginning): LiveSpan | undefined {
    try {
      const span = tracer.span(name, Option.fromNullable(parent), Context.empty(), [], nanosOf(at), kind)
      return new LiveSpan(span, state, at)
    } catch {
      return undefined
    }
  }

  /** Says something about it. What `make` builds is only built where it is kept. */
  define(make: () => Attributes): void {
    if (this.span.sampled) safely(() => define(this.span, make()))
  }

  /** Notes when a stream's first content came, monotonic ms. */
  noteFirstContent(at: number): void {
    this.firstContentAt = at
  }

  /** Ends it, with what the answer says about itself and what `make` builds. */
  end(request: LlmRequest, outcome: Outcome, at: number, make: () => Attributes): void {
    const { firstContentAt, response, span, startedAt } = this
    safely(() => {
      if (span.sampled) {
        if (response !== undefined) define(span, answered(request, response))
        define(span, {
          ...ended(outcome),
          "switchyard.time_to_first_token_ms": firstContentAt === undefined ? undefined : firstContentAt - startedAt
        })
        define(span, make())
      }
      span.end(nanosOf(at), exitOf(outcome))
    })
  }
}
