import { assert, describe, it } from "@effect/vitest"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect } from "effect"
import { parted } from "../../../src/edge/counting/tokenEstimate.js"
import * as Tokenizer from "../../../src/edge/counting/tokenizer.js"
import { authorized, deploymentOf, start } from "../../support/gateways.js"

const tokenizer = Effect.acquireRelease(Effect.sync(Tokenizer.make), (one) => Effect.sync(() => one.close()))

describe("the tokenizer", () => {
  it.each([
    ["gpt-4o-mini-2024-07-18", "o200k_base"],
    ["openai/gpt-5.2", "o200k_base"],
    ["o4-mini", "o200k_base"],
    ["team-gpt-4.1", "o200k_base"],
    ["openai/gpt-oss-120b", "o200k_base"],
    ["gpt-4-turbo", "cl100k_base"],
    ["gpt-35-turbo", "cl100k_base"],
    ["claude-opus-4-7", undefined],
    ["gemini-3-pro", undefined],
    ["llama-3.1-70b", undefined]
  ])("knows how %s cuts text", (model, encoding) => {
    assert.strictEqual(Tokenizer.encodingOf(model), encoding)
  })

  it.scopedLive("counts as the models do, many at once, and in a thread that comes again after its end", () =>
    Effect.gen(function* () {
      const one = yield* tokenizer
      const counts = yield* Effect.all(
        [
          one.count("gpt-4o", ["hello world", "hello world"]),
          one.count("gpt-4", ["敏捷的棕色狐狸"]),
          one.count("gpt-4o", ["敏捷的棕色狐狸"]),
          one.count("gpt-4o", []),
          one.count("gpt-4o", ["<|endoftext|>"])
        ],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(counts.slice(0, 1), [4])
      assert.isAbove(counts[1] ?? 0, counts[2] ?? 0)
      assert.deepStrictEqual(counts.slice(3), [0, 1])
      one.close()
      assert.strictEqual(yield* one.count("gpt-4o", ["hello world"]), 2)
    })
  )

  it.scopedLive("leaves to others what it does not know, what is too long, and what is asked when it ends", () =>
    Effect.gen(function* () {
      const one = yield* tokenizer
      assert.isUndefined(yield* one.count("claude-opus-4-7", ["hello"]))
      assert.isUndefined(yield* one.count("gpt-4o", ["x".repeat(4_000_001)]))
      const waiting = yield* Effect.fork(one.count("gpt-4o", ["hello ".repeat(100_000)]))
      yield* Effect.yieldNow()
      one.close()
      assert.isUndefined(yield* waiting.await.pipe(Effect.flatten))
    })
  )

  it.scopedLive("answers a caller who asks, and says who counted", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([], {
        server: { tokenizer: "gpt-tokenizer" },
        deployments: [
          { ...deploymentOf(upstream), id: "ours", group: "smart", model: "gpt-4o" },
          { ...deploymentOf(upstream), id: "theirs", group: "other", model: "llama-3.1-70b" }
        ]
      })
      const count = (model: string, content: string) =>
        Effect.promise(async () => {
          const answer = await fetch(`${gateway.url}/v1/messages/count_tokens`, {
            method: "POST",
            headers: { "content-type": "application/json", ...authorized },
            body: JSON.stringify({ model, messages: [{ role: "user", content }] })
          })
          const { input_tokens } = (await answer.json()) as { readonly input_tokens: number }
          return { by: answer.headers.get("x-switchyard-count"), tokens: input_tokens }
        })
      const short = yield* count("smart", "tea")
      const long = yield* count("smart", "tea and more ".repeat(100))
      assert.deepStrictEqual([short.by, long.by], ["tokenizer", "tokenizer"])
      assert.approximately(long.tokens - short.tokens, 300, 2)
      assert.strictEqual((yield* count("other", "tea")).by, "estimate")
      assert.strictEqual(upstream.journal().length, 0)
    })
  )

  it("is given the words of a prompt, and not its pictures", () => {
    const content = [
      { type: "text", text: "What is this?" },
      { type: "image_url", image_url: { url: `data:image/png;base64,${"iVBOR".repeat(1000)}` } }
    ]
    const { tokens, words } = parted({ messages: [{ role: "user", content }] }, ["messages"])
    assert.sameMembers([...words], ["user", "text", "What is this?", "image_url"])
    assert.isAtLeast(tokens, 2500)
  })
})
