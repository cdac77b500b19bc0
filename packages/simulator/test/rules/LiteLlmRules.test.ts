import { Attempt } from "@switchyard/core/Attempt"
import * as Deployment from "@switchyard/core/Deployment"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { Slot } from "@switchyard/core/Slot"
import { open } from "@switchyard/core/Status"
import { zero } from "@switchyard/core/Usage"
import { Candidates } from "@switchyard/router/Candidates"
import { Draws } from "@switchyard/simulator/Draws"
import * as PeerRules from "@switchyard/simulator/PeerRules"
import { assert, describe, it } from "vitest"

const slots = ["a", "b"].map((id) => Slot.make(Deployment.make({ id, group: "m", model: "gpt-4o", rpm: 3, tpm: 1000 })))

const setup = (name: string) => {
  const rule = PeerRules.make(name, {
    draws: new Draws(1, "rule"),
    foresee: () => assert.fail("only the oracle foresees")
  })
  if (rule === undefined) throw new Error(`no rule ${name}`)
  const ask = (stream: boolean, prompt = "Hi") =>
    LlmRequest.begin(LlmRequest.chat({ model: "m", stream, messages: [{ role: "user", content: prompt }] }), 0)
  return {
    chosen: (stream: boolean, prompt?: string): string | undefined => {
      const candidates = new Candidates("m", slots, ask(stream, prompt), 0, () => open, [])
      const index = rule.select(candidates)
      return index === -1 ? undefined : candidates.at(index).id
    },
    /** A call of so many output tokens, with its first one after `first` ms and its last after `last`. */
    answer: (index: number, stream: boolean, outputTokens: number, first: number, last: number): void => {
      const attempt = new Attempt(1, ask(stream), slots[index] as Slot, 0, false, false)
      rule.begun?.(attempt)
      const usage = { ...zero, outputTokens }
      rule.ended?.(attempt, { _tag: "Completed", usage, timeToFirstToken: first, duration: last }, last)
    }
  }
}

describe("LiteLLM's latency-based routing", () => {
  it("divides the time to a stream's first token by the tokens of its answer, and so takes who wrote more for the faster", () => {
    const { answer, chosen } = setup("litellm-latency-based")
    answer(0, true, 10, 500, 2000)
    answer(1, true, 1000, 5000, 30_000)
    for (let i = 0; i < 20; i++) assert.strictEqual(chosen(true), "b")
  })

  it("goes by the whole time for each token of a plain call", () => {
    const { answer, chosen } = setup("litellm-latency-based")
    answer(0, false, 100, 2000, 2000)
    answer(1, false, 100, 5000, 5000)
    for (let i = 0; i < 20; i++) assert.strictEqual(chosen(false), "a")
  })
})

describe("LiteLLM's usage-based routing, v2", () => {
  it("never makes the last call of a minute that `rpm` allows", () => {
    const { answer, chosen } = setup("litellm-usage-based-v2")
    for (const index of [0, 1]) for (let i = 0; i < 2; i++) answer(index, false, 10, 100, 100)
    assert.strictEqual(chosen(false), undefined)
  })

  it("leaves out who would pass `tpm` with this prompt", () => {
    const { answer, chosen } = setup("litellm-usage-based-v2")
    answer(0, false, 900, 100, 100)
    answer(1, false, 950, 100, 100)
    assert.strictEqual(chosen(false, "x".repeat(300)), "a")
    assert.strictEqual(chosen(false, "x".repeat(600)), undefined)
  })
})
