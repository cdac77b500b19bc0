/**
 * @effect/ai's embeddings over a router.
 */
import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import { assert, describe, it } from "@effect/vitest"
import * as SwitchyardEmbeddingModel from "@switchyard/effect-ai/SwitchyardEmbeddingModel"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Layer } from "effect"
import { at, lastBody, router } from "./support.js"

const over = <A, E>(
  use: (east: FakeProvider.FakeProvider) => Effect.Effect<A, E, EmbeddingModel.EmbeddingModel>,
  options: Partial<SwitchyardEmbeddingModel.Options> = {}
) =>
  Effect.flatMap(FakeProvider.make({ name: "east" }), (east) =>
    Effect.provide(
      use(east),
      Layer.provide(
        SwitchyardEmbeddingModel.layer({ model: "vectors", body: { dimensions: 4 }, ...options }),
        router({ deployments: [at(east, "vectors")], retry: { attempts: 2, baseDelay: "1 millis" } })
      )
    )
  ).pipe(Effect.scoped)

describe("EmbeddingModel over a router", () => {
  it.live("a text, and many in one request, each with its own vector; a failure is tried again", () =>
    over((east) =>
      Effect.gen(function* () {
        const model = yield* EmbeddingModel.EmbeddingModel
        const close = (vector: ReadonlyArray<number> | undefined, input: string) => {
          for (const [at, value] of FakeProvider.embeddingOf(input, 4).entries())
            assert.closeTo(vector?.[at] ?? Number.NaN, value, 1e-6)
        }
        close(yield* model.embed("one"), "one")
        yield* east.next({ status: 503 })
        const vectors = yield* model.embedMany(["one", "two", "three"])
        assert.strictEqual(vectors.length, 3)
        for (const [at, input] of ["one", "two", "three"].entries()) close(vectors[at], input)
        assert.deepStrictEqual(lastBody(east).input, ["one", "two", "three"])
        assert.strictEqual(east.stats().requests, 3)
      })
    )
  )

  it.live("more texts than a batch holds are sent in several", () =>
    over(
      (east) =>
        Effect.gen(function* () {
          const model = yield* EmbeddingModel.EmbeddingModel
          const vectors = yield* model.embedMany(["a", "b", "c"])
          assert.strictEqual(vectors.length, 3)
          assert.deepStrictEqual(
            east.journal().map(({ body }) => (body as { input: ReadonlyArray<string> }).input.length),
            [2, 1]
          )
        }),
      { maxBatchSize: 2 }
    )
  )

  it.live("a failure is an error of @effect/ai's, and no text waits for a vector that nobody gave", () =>
    over((east) =>
      Effect.gen(function* () {
        const model = yield* EmbeddingModel.EmbeddingModel
        yield* east.behave({ status: 400, error: { message: "no such thing" } })
        const error = yield* Effect.flip(model.embedMany(["one", "two"]))
        assert.strictEqual(error._tag === "HttpResponseError" && error.response.status, 400)
      })
    )
  )
})
