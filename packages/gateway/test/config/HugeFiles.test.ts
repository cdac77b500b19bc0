import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { looksSecret } from "@switchyard/core/Secret"
import * as ConfigFile from "@switchyard/gateway/ConfigFile"
import { Effect, Either } from "effect"
import * as Environment from "../../src/config/Environment.js"
import { parse } from "../../src/config/yaml/yamlTree.js"

const many = (count: number, unit: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => unit(index)).join("")

const deployment = "deployments:\n  - { id: a, group: g, model: m, apiKey: k }\n"

const load = (text: string) => {
  const file = join(mkdtempSync(join(tmpdir(), "huge-")), "config.yaml")
  writeFileSync(file, text)
  return Effect.map(Effect.either(ConfigFile.load(file, { env: {} })), (read) => Either.merge(read).problems)
}

describe("a file that is no configuration", () => {
  it.each([
    ["escapes that mean nothing", `a: "${"\\q".repeat(500_000)}"\n`],
    ["strings with such escapes", many(20_000, (index) => `k${index}: "\\q"\n`)],
    ["brackets that close nothing", "]".repeat(50_000)],
    ["tabs before keys", "\ta: 1\n".repeat(20_000)],
    ["lines of a string that end nowhere", `a: "${"x\n".repeat(50_000)}"\n`],
    ["tags that mean nothing", many(20_000, (index) => `k${index}: !foo x\n`)],
    ["anchors one after the other", "&a ".repeat(50_000)],
    ["directives", "%FOO x\n".repeat(300_000)]
  ])("is given up after a hundred mistakes: %s", (_, text) => {
    const { problems, root } = parse(text, "config.yaml")
    assert.isUndefined(root)
    assert.isAtMost(problems.length, 102)
    assert.isTrue(problems.some(({ severity }) => severity === "error"))
  })

  it.each([
    ["colons", ":\n".repeat(5_000_000)],
    ["values", `[${"1,".repeat(5_000_000)}]`],
    ["keys", many(700_000, (index) => `k${index}: 1\n`)],
    ["documents", "--- a\n".repeat(1_600_000)]
  ])("is given up after a million words and marks: %s", (_, text) => {
    const { problems, root } = parse(text, "config.yaml")
    assert.isUndefined(root)
    assert.isAtMost(problems.length, 102)
    assert.match(String(problems[0]?.message), /more than (1,000,000 words|100 mistakes)|second one begins/)
  })

  it("is refused where one map is merged into so many that all together are too large", () => {
    const text = `a: &a { ${many(20_000, (index) => `k${index}: 1, `)} }\n${many(2_000, (index) => `m${index}: { <<: *a }\n`)}`
    const { problems, root } = parse(text, "config.yaml")
    assert.isUndefined(root)
    assert.deepStrictEqual(
      problems.map(({ message }) => message),
      ["more than 100000 values, aliases counted with all that they stand for"]
    )
  })

  it("is given up at a text of megabytes, where it begins", () => {
    for (const text of [`a: 1\nb: "${"x".repeat(3_000_000)}"\n`, `a: 1\nb: ${"x y ".repeat(800_000)}\n`]) {
      const { problems } = parse(text, "config.yaml")
      assert.deepInclude(problems, {
        severity: "error",
        path: "",
        message: "a text of more than 262144 characters",
        file: "config.yaml",
        line: 2,
        column: 4
      })
    }
  })

  it("is refused for a key or a text as long as a book, without a look at what it says", () => {
    const { problems } = parse(`{ ${"ap".repeat(2_000)}: 1, b: ${"x".repeat(300_000)} }`, "config.yaml")
    assert.deepStrictEqual(
      problems.map(({ message }) => message),
      ["a key of more than 1024 characters", "a text of more than 262144 characters"]
    )
  })
})

describe("a configuration with thousands of mistakes", () => {
  it.effect("is told of some, and of how many there are", () =>
    Effect.gen(function* () {
      for (const text of [
        deployment + many(2_000, (index) => `k${index}: 1\n`),
        `deployments:\n${many(2_000, (index) => `  - { id: a${index}, grup: g, model: m }\n`)}`,
        `${deployment}keys:\n${many(2_000, (index) => `  - { nam: ${index}, key: 5 }\n`)}`,
        `model_list:\n${many(1_500, (index) => `  - { model_name: m${index}, litellm_params: { modell: x } }\n`)}`
      ]) {
        const problems = yield* load(text)
        assert.isAtMost(problems.length, 501, text.slice(0, 80))
        assert.match(String(problems.at(-1)?.message), /^\d+ more/)
      }
    })
  )
})

describe("a text of a configuration", () => {
  it("is looked through for references once, however many begin in it and do not end", () => {
    const text = `\${A:-`.repeat(50_000)
    assert.isUndefined(Environment.parse(text))
    assert.deepStrictEqual(Environment.parse(`\${A}${text}$\${`), [{ name: "A", fallback: undefined }, text, "${"])
  })

  it("may be one run of megabytes: whether it looks like a secret can still be told", () => {
    assert.isFalse(looksSecret("x".repeat(10_000_000)))
    assert.isTrue(looksSecret(`${"x".repeat(5_000_000)}7${"x".repeat(5_000_000)}`))
  })
})
