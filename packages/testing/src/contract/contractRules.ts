/**
 * What all rules go by: the layer under test over a stub, and what is asked of it. The rules stand beside this, by what they check.
 */
import type { StreamEvent } from "@switchyard/core/ChatChunk"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import { type EventStream, toStream } from "@switchyard/core/EventStream"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse, StreamingResponse } from "@switchyard/core/LlmResponse"
import type { Opening } from "@switchyard/core/Opening"
import type * as Service from "@switchyard/core/Service"
import type { Status } from "@switchyard/core/Status"
import { Array as Arr, Cause, Data, Effect, Exit, type Scope, Stream } from "effect"
import type * as ManualClock from "../ManualClock.js"
import type * as StubLlm from "../StubLlm.js"
import { drive } from "./schedules.js"
import type { Trouble } from "./trouble.js"

/** How to judge a layer that differs from the common case. */
export interface ContractOptions {
  /** Configuration of the deployment that attempts are made on, for layers that read it. */
  readonly deployment?: Partial<DeploymentConfig>
  /** The layer may answer without asking (a cache): running a call twice need not reach the inner service twice. */
  readonly mayAnswerItself?: boolean
  /**
   * The layer may answer with something else than the inner service did (it puts names back, adds a field): contents are not
   * compared, all else is checked, and that a raw text says what its body does.
   */
  readonly mayChangeAnswers?: boolean
  /**
   * What the layer made last holds at the moment (permits, reservations, places); it must be 0 whenever no call is in flight.
   * With it a single one that is lost is seen, whatever the limit.
   */
  readonly held?: () => number
  /**
   * Up to how many calls at once, and in a row, are tried to find a permit that is never given back: a limit of fewer would be
   * used up. Default 1,001. A minute passes between two in a row.
   */
  readonly calls?: number
  /** How many calls end at random times in random ways. Default 200. */
  readonly schedules?: number
  /** Seed of the random schedules, default 1. It is named when a schedule fails. */
  readonly seed?: number
}
/** A call through the layer under test, and what its owner closes when it fails. */
export interface Built {
  readonly call: Service.Call
  readonly release: () => void
}

/** What goes on beside the check itself. */
export interface Beside {
  /** Fibers that have not ended. */
  readonly fibers: number
  /** Who sleeps. */
  readonly sleepers: number
}

/** The layer under test over a stub. */
export interface Subject {
  readonly stub: StubLlm.StubLlm
  readonly time: ManualClock.ManualClock
  readonly build: (stream: boolean, prompt?: string) => Built
  /** What goes wrong directly inside the layer. */
  readonly trouble: Trouble
  /** What the inner service answered, oldest first. */
  readonly answers: ReadonlyArray<LlmResponse>
  /** The outer status of the deployment; undefined on the request tier. */
  readonly status: (() => Status) | undefined
  /** What the outer service says of a plain request's readiness; undefined on the attempt tier. */
  readonly openings: (() => ReadonlyArray<Opening>) | undefined
  /** What goes on at the moment, of the layer's and of calls'. */
  readonly beside: () => Beside
}

export type Rule = (subject: Subject, options: ContractOptions) => Effect.Effect<void, Broken>

/** A rule that makes its layer itself, once. */
export type BuildRule = (build: Effect.Effect<Subject, never, Scope.Scope>) => Effect.Effect<void, Broken>

/** A broken rule, before it knows its name. */
export class Broken extends Data.TaggedError("Broken")<{ readonly detail: string }> {}

export const broken = (detail: string): Effect.Effect<never, Broken> => Effect.fail(new Broken({ detail }))
export const expect = (holds: boolean, detail: () => string): Effect.Effect<void, Broken> =>
  holds ? Effect.void : Effect.suspend(() => broken(detail()))

export const request = (stream: boolean, prompt = "Say hello."): LlmRequest.LlmRequest =>
  LlmRequest.begin(LlmRequest.chat({ model: "m", messages: [{ role: "user", content: prompt }], stream }), 0)

/** The call as an owner makes it: what a failed one left open is closed. */
export const owned = ({ call, release }: Built): Service.Call =>
  Effect.onExit(call, (exit) => (Exit.isFailure(exit) ? Effect.sync(release) : Effect.void))

export const describeExit = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? "a success" : Cause.pretty(exit.cause)

/** Runs an effect in the subject's time until it ends; one that does not end within an hour breaks the rule. */
export const run = <A, E>(subject: Subject, effect: Effect.Effect<A, E>): Effect.Effect<Exit.Exit<A, E>, Broken> =>
  Effect.flatMap(drive(subject.time, effect), (exit) =>
    exit === undefined ? broken("the call did not end within an hour") : Effect.succeed(exit)
  )

export const answered = (subject: Subject, stream: boolean): Effect.Effect<LlmResponse, Broken> =>
  Effect.flatMap(run(subject, owned(subject.build(stream))), (exit) =>
    Exit.isSuccess(exit) ? Effect.succeed(exit.value) : broken(`the call failed: ${describeExit(exit)}`)
  )

export const streamed = (subject: Subject): Effect.Effect<StreamingResponse, Broken> =>
  Effect.flatMap(answered(subject, true), (response) =>
    response._tag === "Streaming" ? Effect.succeed(response) : broken("a stream was asked for, a whole answer came")
  )

export const readAll = (events: EventStream): Effect.Effect<ReadonlyArray<StreamEvent>, unknown> =>
  Effect.map(Stream.runCollect(toStream(events)), Arr.fromIterable)

export const outcomeTags = (stub: StubLlm.StubLlm): string =>
  `[${stub.outcomes.map((outcome) => outcome._tag).join(", ")}] for ${stub.calls.length} calls`

export const nothingOpen = ({ stub }: Subject): Effect.Effect<void, Broken> =>
  expect(
    stub.inFlight() === 0 && stub.openStreams() === 0 && stub.outcomes.length === stub.calls.length,
    () => `${stub.inFlight()} calls and ${stub.openStreams()} streams are still open; outcomes ${outcomeTags(stub)}`
  )
