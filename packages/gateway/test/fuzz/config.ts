/**
 * Fuzzes configuration files: whatever they hold, they are read, or all that is wrong is told with its place, and no secret is.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as ConfigFile from "@switchyard/gateway/ConfigFile"
import * as Problem from "@switchyard/gateway/Problem"
import { Cause, Effect, Exit, FastCheck as fc } from "effect"
import { type ConfigStep, mutateConfig } from "./mutateConfig.js"
import { run } from "./running.js"
import { step } from "./steps.js"
import { corpusOf, type Target, Violation } from "./target.js"

interface Case {
  readonly base64: string
  /** Where a fault may be told, for a file that was sound before one setting was changed; none for anywhere. */
  readonly touched: ReadonlyArray<string>
  readonly mustLoad: boolean
}

/** Known as a secret by its look, wherever it stands. */
const plantedKey = "sk-Pl4nt3dS3cr3tK3yV4lu3X9"
/** Known as a secret by the name that it stands under alone: it is looked for where nothing was renamed. */
const plantedOpaque = /opaque.planted/
/** In the environment, where every value is a secret. */
const plantedVariable = "variable-planted-in-the-environment"

const env = { PLANT_KEY: plantedVariable }

/** What reading a file may take, on a busy machine. */
const patience = 10_000

const isRelated = (touched: string, path: string): boolean =>
  path.startsWith(touched) ||
  touched.startsWith(path) ||
  path.split(/[.[\]]+/).some((part) => part !== "" && touched.endsWith(part))

export const make = async (): Promise<Target<Case>> => {
  const corpus = corpusOf("config")
  const folder = mkdtempSync(join(tmpdir(), "switchyard-fuzz-"))
  const path = join(folder, "config.yaml")
  const running = await run({})
  running.upstream.script = () => ({ status: 503, headers: {}, pieces: [], end: "whole", pace: 1 })
  const first = running.gateway.generations.current().source

  const read = () => Effect.runPromiseExit(ConfigFile.load(path, { env }))

  const judgeProblems = (problems: ReadonlyArray<Problem.Problem>, text: string): void => {
    for (const { column, file, line, message, path: where, severity } of problems) {
      const isPlaced = (line === undefined || line >= 1) && (column === undefined || column >= 1)
      if (
        message.trim() === "" ||
        typeof where !== "string" ||
        !isPlaced ||
        (severity === "error" && file === undefined)
      ) {
        throw new Violation(
          "a finding that says nothing",
          JSON.stringify({ column, file, line, message, where, severity })
        )
      }
      if (
        /\bat .*\(.*:\d+:\d+\)|Error:|\[object Object\]|undefined|\bNaN\b/.test(message) &&
        !/undefined|NaN|Error:/.test(text)
      ) {
        throw new Violation("a finding of the code and not of the file", message)
      }
    }
  }

  const judgeSecrets = (shown: string, item: Case): void => {
    if (shown.includes(plantedKey))
      throw new Violation("a key is shown", shown.slice(Math.max(0, shown.indexOf(plantedKey) - 200)))
    if (shown.includes(plantedVariable)) {
      throw new Violation("a variable is shown", shown.slice(Math.max(0, shown.indexOf(plantedVariable) - 200)))
    }
    if (item.mustLoad && plantedOpaque.test(shown)) {
      throw new Violation("a secret is shown", shown.slice(Math.max(0, shown.search(plantedOpaque) - 200)))
    }
  }

  const check = async (item: Case): Promise<void> => {
    const bytes = Buffer.from(item.base64, "base64")
    writeFileSync(path, bytes)
    const started = performance.now()
    const exit = await read()
    const took = performance.now() - started
    if (took > patience) throw new Violation("reading takes too long", `${Math.round(took)} ms`)
    if (Exit.isFailure(exit) && Cause.isDie(exit.cause)) throw new Violation("a defect", Cause.pretty(exit.cause))
    const failure = Exit.isFailure(exit) ? Cause.failureOption(exit.cause) : undefined
    const error = failure?._tag === "Some" ? failure.value : undefined
    const problems = Exit.isSuccess(exit) ? exit.value.problems : (error?.problems ?? [])
    const display = Exit.isSuccess(exit) ? JSON.stringify(exit.value.display) : ""
    const shown = `${Problem.render(problems)}\n${JSON.stringify(problems)}\n${error?.message ?? ""}\n${display}`
    judgeSecrets(shown, item)
    judgeProblems(problems, bytes.toString("utf8"))
    const errors = problems.filter(({ severity }) => severity === "error")
    if (Exit.isFailure(exit) !== errors.some(Problem.isFatal))
      throw new Violation("refused without a reason, or taken with errors", shown)
    if (item.mustLoad && Exit.isFailure(exit)) throw new Violation("a sound file is refused", shown)
    const { touched } = item
    const isNamed = touched.some((one) => errors.some(({ path: where }) => isRelated(one, where)))
    if (touched.length > 0 && errors.length > 0 && !isNamed) {
      throw new Violation("the finding is elsewhere", `changed ${touched.join()}: ${shown}`)
    }
    const again = await read()
    const said = (one: typeof exit): string =>
      JSON.stringify(
        Exit.isSuccess(one) ? [one.value.problems, one.value.display, one.value.fingerprint] : Cause.pretty(one.cause)
      )
    if (said(exit) !== said(again))
      throw new Violation("another result for the same file", `${said(exit)} ${said(again)}`)
    if (Exit.isFailure(exit)) return
    const { config } = exit.value
    const installed = await Effect.runPromiseExit(running.gateway.reload({ ...first, config }))
    if (Exit.isFailure(installed) && Cause.isDie(installed.cause))
      throw new Violation("a defect when put in force", Cause.pretty(installed.cause))
    if (Exit.isFailure(installed)) judgeSecrets(Cause.pretty(installed.cause), item)
    running.noDefects()
  }

  const configStep: fc.Arbitrary<ConfigStep> = fc.record({
    how: fc.constantFrom("setting", "setting", "setting", "text", "text", "bytes"),
    step
  })

  return {
    name: "config",
    extension: ".yaml",
    cases: fc
      .tuple(
        fc.nat(1_000),
        fc.oneof(
          fc.record({ how: fc.constant("setting" as const), step }).map((one) => [one]),
          fc.array(configStep, { minLength: 1, maxLength: 4 })
        )
      )
      .map(([index, steps]) => {
        const { bytes, file } = corpus[index % corpus.length] ?? corpus[0]
        const { text, touched } = mutateConfig(bytes, steps)
        return { base64: text.toString("base64"), touched: file.includes(".valid.") ? touched : [], mustLoad: false }
      }),
    corpus: corpus.map(({ bytes, file }) => [
      file,
      { base64: bytes.toString("base64"), touched: [], mustLoad: file.includes(".valid.") }
    ]),
    check,
    settle: async () => {
      await Effect.runPromise(running.gateway.reload(first))
      await running.settle()
    },
    bytesOf: (item) => Buffer.from(item.base64, "base64"),
    withBytes: (_, bytes) => ({ base64: bytes.toString("base64"), touched: [], mustLoad: false }),
    close: async () => {
      rmSync(folder, { recursive: true, force: true })
      await running.close()
    }
  }
}
