import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import { holdsNothing } from "../support/gateways.js"
import { carryOut, cells, type Leaving, make } from "./abort.js"

const scope = Effect.runSync(Scope.make())
let leaving: Leaving

beforeAll(async () => {
  leaving = await Effect.runPromise(Scope.extend(make, scope))
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

describe("a caller who leaves in the middle of a stream", () => {
  it.live.each(cells)(
    "takes the provider's request along, and its place is free once: $caller over $provider",
    ({ caller, provider }) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* carryOut(leaving, caller, provider), { _tag: "works" })
      })
  )

  it.live("leaves nothing behind, whatever its dialect", () => holdsNothing(leaving.gateway))
})
