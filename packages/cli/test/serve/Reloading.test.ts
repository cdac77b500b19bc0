import { assert, describe, it } from "@effect/vitest"
import type { LoadedConfig } from "@switchyard/gateway/ConfigFile"
import { decode } from "@switchyard/gateway/GatewayConfig"
import type { Problem } from "@switchyard/gateway/Problem"
import { Effect, Either } from "effect"
import { onChange } from "../../src/serve/reloading.js"

const config = Either.getOrThrow(decode({ deployments: [{ id: "a", group: "smart", model: "gpt-4o" }] }))

/** A file of which these entries are left out. */
const without = (...entries: ReadonlyArray<string>): LoadedConfig => ({
  config,
  problems: entries.map(
    (leavesOut): Problem => ({
      severity: "error",
      path: `${leavesOut}.litellm_params.rpm`,
      message: "expected a whole number of at least 0",
      leavesOut,
      file: "config.yaml",
      line: 3,
      column: 5
    })
  ),
  files: [],
  display: {},
  fingerprint: ""
})

describe("a file that was read again", () => {
  it.effect("is refused where a mistake would cost a deployment more than before, as a start would not be", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const change = onChange(
        {
          reload: (next) =>
            Effect.as(
              Effect.sync(() => void said.push("in force")),
              next
            ),
          refuse: (why) => Effect.sync(() => void said.push(`refused: ${why.join("; ")}`))
        },
        "config.yaml",
        { isOff: () => false },
        without("model_list[1]")
      )
      for (const next of [
        without("model_list[2]"),
        without("model_list[1]", "model_list[2]"),
        without(),
        without("model_list[1]")
      ])
        yield* change(Either.right(next))
      const line = (entry: string) =>
        `config.yaml:3:5 error ${entry}.litellm_params.rpm: expected a whole number of at least 0; this deployment is left out`
      assert.deepStrictEqual(said, [
        "in force",
        `refused: ${line("model_list[1]")}; ${line("model_list[2]")}`,
        "in force",
        `refused: ${line("model_list[1]")}`
      ])
    })
  )

  it.effect("is refused where taking it is a fault of the gateway's own, and the next one is taken", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      let tries = 0
      const change = onChange(
        {
          reload: (next) =>
            ++tries === 1
              ? Effect.dieMessage("no luck")
              : Effect.as(
                  Effect.sync(() => void said.push("in force")),
                  next
                ),
          refuse: (why) => Effect.sync(() => void said.push(...why))
        },
        "config.yaml",
        { isOff: () => false },
        without()
      )
      yield* change(Either.right(without()))
      yield* change(Either.right(without()))
      assert.match(said[0] ?? "", /^a fault of its own: .*no luck/)
      assert.deepStrictEqual(said.slice(1), ["in force"])
    })
  )
})
