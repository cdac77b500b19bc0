/**
 * The AI SDK's embeddings over a router in process.
 */
import { APICallError } from "@ai-sdk/provider"
import { assert, describe, it } from "@effect/vitest"
import { createSwitchyard } from "@switchyard/ai-sdk/Switchyard"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { embed, embedMany } from "ai"
import { Effect } from "effect"

describe("an embedding model of the AI SDK", () => {
  it.live("one text and many, in requests of so many as a model takes, with usage and route", () =>
    Effect.gen(function* () {
      const east = yield* FakeProvider.make({ name: "east" })
      const switchyard = yield* Effect.acquireRelease(
        Effect.sync(() =>
          createSwitchyard({
            deployments: [{ id: "east", group: "vectors", model: "m", baseUrl: east.url, apiKey: "sk" }],
            retry: { attempts: 2, baseDelay: "1 millis" }
          })
        ),
        (provider) => Effect.promise(provider.close)
      )
      const close = (vector: ReadonlyArray<number> | undefined, input: string) => {
        for (const [at, value] of FakeProvider.embeddingOf(input, 4).entries()) {
          assert.closeTo(vector?.[at] ?? Number.NaN, value, 1e-6)
        }
      }
      const inputs = () => east.journal().map(({ body }) => (body as { input: ReadonlyArray<string> }).input.length)
      yield* Effect.promise(async () => {
        const providerOptions = { openai: { dimensions: 4 } }
        const one = await embed({ model: switchyard.embeddingModel("vectors"), value: "one", providerOptions })
        close(one.embedding, "one")
        assert.isAbove(one.usage.tokens, 0)
        assert.strictEqual(one.providerMetadata?.switchyard?.deployment, "east")
        const values = ["a", "b", "c"]
        await Effect.runPromise(east.next({ status: 503 }))
        const many = await embedMany({ model: switchyard.textEmbeddingModel("vectors"), values, providerOptions })
        assert.strictEqual(many.embeddings.length, 3)
        for (const [at, value] of values.entries()) close(many.embeddings[at], value)
        assert.deepStrictEqual(inputs(), [1, 3, 3])
        const small = switchyard.embeddingModel("vectors", { maxEmbeddingsPerCall: 2 })
        assert.strictEqual((await embedMany({ model: small, values, providerOptions })).embeddings.length, 3)
        assert.deepStrictEqual(inputs().slice(3).sort(), [1, 2])
        await Effect.runPromise(east.behave({ status: 400 }))
        try {
          await embed({ model: small, value: "x" })
          assert.fail("it did not reject")
        } catch (error) {
          assert.isTrue(APICallError.isInstance(error) && error.statusCode === 400)
        }
      })
    }).pipe(Effect.scoped)
  )
})
