import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import type { Outcome } from "@switchyard/core/Outcome"
import { nowMs } from "@switchyard/core/Time"
import type { TraceContext } from "@switchyard/core/TraceContext"
import { type Clock, Context, Exit, FiberId, Option, type Tracer } from "effect"
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

/** Tells a span what happened at a moment. */
export const tell = (span: Tracer.Span, { attributes, name }: Note, at: bigint): void =>
  safely(() => {
    const said: Record<string, unknown> = {}
    for (const key in attributes) if (attributes[key] !== undefined) said[key] = attributes[key]
    span.event(name, at, said)
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
  private readonly startedAt: number
  private firstContentAt: number | undefined
  response: LlmResponse | undefined

  private constructor(
    readonly span: Tracer.Span,
    state: string | undefined,
    private readonly clock: Clock.Clock
  ) {
    this.trace = { span, state }
    this.startedAt = nowMs(clock)
  }

  /** Begins a span; undefined when the tracer fails. */
  static begin(clock: Clock.Clock, { kind, name, parent, state, tracer }: Beginning): LiveSpan | undefined {
    try {
      const at = clock.unsafeCurrentTimeNanos()
      const span = tracer.span(name, Option.fromNullable(parent), Context.empty(), [], at, kind)
      return new LiveSpan(span, state, clock)
    } catch {
      return undefined
    }
  }

  /** Says something about it. What `make` builds is only built where it is kept. */
  define(make: () => Attributes): void {
    if (this.span.sampled) safely(() => define(this.span, make()))
  }

  /** Notes an answer; a stream's first content is watched for. */
  noteResponse(response: LlmResponse): void {
    this.response = response
    if (response._tag === "Complete") return
    response.events.settlement.onFirstContent(() => {
      this.firstContentAt = nowMs(this.clock)
    })
  }

  /** Ends it, with what the answer says about itself and what `make` builds. */
  end(outcome: Outcome, make: () => Attributes): void {
    const { clock, firstContentAt, response, span, startedAt } = this
    safely(() => {
      if (span.sampled) {
        if (response !== undefined) define(span, answered(response))
        define(span, {
          ...ended(outcome),
          "switchyard.time_to_first_token_ms": firstContentAt === undefined ? undefined : firstContentAt - startedAt
        })
        define(span, make())
      }
      span.end(clock.unsafeCurrentTimeNanos(), exitOf(outcome))
    })
  }
}
