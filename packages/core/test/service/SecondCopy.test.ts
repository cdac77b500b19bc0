/**
 * An app's tree may hold two copies of this package, below two others of ours: nothing of one copy may be taken for
 * something of the other.
 */
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Attempt from "@switchyard/core/Attempt"
import * as LlmError from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import * as Service from "@switchyard/core/Service"
import * as Slot from "@switchyard/core/Slot"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect } from "effect"

/** The module once more, with all that it keeps for itself. */
const again = async <A>(path: string): Promise<A> => {
  const file = `${fileURLToPath(new URL(`../../src/${path}.ts`, import.meta.url))}?again`
  return (await import(file)) as A
}

const other = {
  slot: await again<typeof Slot>("deployment/Slot"),
  attempt: await again<typeof Attempt>("service/Attempt"),
  error: await again<typeof LlmError>("errors/LlmError"),
  service: await again<typeof Service>("service/Service")
}

describe("a second copy of core", () => {
  it("is one, here", () => {
    assert.notStrictEqual(other.slot.Slot, Slot.Slot)
    assert.notStrictEqual(other.attempt.Attempt, Attempt.Attempt)
    assert.notStrictEqual(other.error.LlmError, LlmError.LlmError)
    assert.notStrictEqual(other.service.expiring, Service.expiring)
  })

  it("has cells of its own in every slot, in whatever order both make their keys", () => {
    const keys = [Slot, other.slot, other.slot, Slot, other.slot, Slot].map(({ key }, index) =>
      key(`cell ${index}`, () => ({ index }))
    )
    for (const slot of [StubLlm.slot("a"), other.slot.Slot.make(StubLlm.deployment("b"))]) {
      assert.deepStrictEqual(
        keys.map((key) => slot.get(key).index),
        [0, 1, 2, 3, 4, 5]
      )
    }
  })

  it("makes attempts, errors and promises that count here too", () => {
    const request = LlmRequest.chat({ model: "m", messages: [] })
    const attempt = new other.attempt.Attempt(1, request, StubLlm.slot("a"), 0, false, false)
    assert.isTrue(Attempt.isAttempt(attempt))
    const error = new other.error.LlmError({ reason: "Timeout", description: "slow" })
    assert.isTrue(LlmError.isLlmError(error))
    const service = other.service.expiring(Service.attempt(() => Effect.never))
    assert.isTrue(Service.expiryOf(service)(request))
  })

  it("is not taken for what only looks alike", () => {
    for (const entry of [undefined, null, "Attempt", {}, StubLlm.slot("a"), { deployment: "a", outcome: undefined }]) {
      assert.isFalse(Attempt.isAttempt(entry))
      assert.isFalse(LlmError.isLlmError(entry))
    }
  })
})
