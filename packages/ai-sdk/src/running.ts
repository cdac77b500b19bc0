/**
 * A router for callers who know promises: what fails is thrown as it is, and a signal ends what runs.
 */
import type { LlmError } from "@switchyard/core/LlmError"
import { LlmService } from "@switchyard/core/LlmService"
import type { RequestService } from "@switchyard/core/Service"
import { Cause, Effect, Exit, type ManagedRuntime, Option } from "effect"

/** Runs what needs a router; rejects with the failure itself, or with the signal's reason. */
export type Run = <A>(use: (service: RequestService) => Effect.Effect<A, LlmError>, signal?: AbortSignal) => Promise<A>

const settled = <A>(exit: Exit.Exit<A, unknown>, signal: AbortSignal | undefined): A => {
  if (Exit.isSuccess(exit)) return exit.value
  signal?.throwIfAborted()
  throw Option.getOrElse(Cause.failureOption(exit.cause), () => Cause.squash(exit.cause))
}

/** Over a runtime that holds the router. */
export const inRuntime =
  <E>(runtime: ManagedRuntime.ManagedRuntime<LlmService, E>): Run =>
  async (use, signal) => {
    signal?.throwIfAborted()
    return settled(await runtime.runPromiseExit(Effect.flatMap(LlmService, use), signal && { signal }), signal)
  }

/** Over the router's own service. */
export const withService =
  (service: RequestService): Run =>
  async (use, signal) => {
    signal?.throwIfAborted()
    return settled(
      await Effect.runPromiseExit(
        Effect.suspend(() => use(service)),
        signal && { signal }
      ),
      signal
    )
  }
