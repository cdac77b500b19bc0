/** What a call's lifetime costs: a scope with one finalizer, or a response that owns its end (decision 2). */

import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"
import { isShort, measure, print, subject } from "./harness.js"

/** Prints the costs. */
export const run = async (): Promise<void> => {
  const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })
  const attempt = StubLlm.attempt(request, StubLlm.slot("bench"))
  const response = await Effect.runPromise(StubLlm.make().attempts.call(attempt))
  const constant = Service.request(() => Effect.succeed(response))
  const figures = await measure(
    [
      subject("the call alone", constant.call(request)),
      subject(
        "with onExit",
        Effect.onExit(constant.call(request), () => Effect.void)
      ),
      subject(
        "with Service.bracket",
        Service.bracket(
          () => 0,
          () => constant.call(request),
          () => {}
        )
      ),
      subject(
        "in a scope with one finalizer",
        Effect.scoped(
          Effect.zipRight(
            Effect.addFinalizer(() => Effect.void),
            constant.call(request)
          )
        )
      ),
      subject("through the accessor `complete`", LlmService.complete(constant, request))
    ],
    isShort ? 5_000 : 50_000
  )
  print("What a call's lifetime costs", "µs per call", figures, figures[0])
}
