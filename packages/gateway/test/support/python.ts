/**
 * Clients in Python, where there is an interpreter that has them: `SWITCHYARD_PYTHON` names one, `python3` is tried without it.
 */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { Effect } from "effect"

const python = process.env["SWITCHYARD_PYTHON"] ?? "python3"

const hasPackage = (name: string): Promise<boolean> =>
  promisify(execFile)(python, [
    "-c",
    `import importlib.util, sys; sys.exit(importlib.util.find_spec(${JSON.stringify(name)}) is None)`
  ]).then(
    () => true,
    () => false
  )

/** Runs a program that prints JSON as its last line; undefined, and a loud word, where its package is not there. */
export const run = (
  name: string,
  program: string,
  given: ReadonlyArray<string>
): Effect.Effect<Readonly<Record<string, unknown>> | undefined> =>
  Effect.promise(async (): Promise<Readonly<Record<string, unknown>> | undefined> => {
    if (!(await hasPackage(name))) {
      console.warn(`SKIPPED: ${python} has no package ${name}; pip install ${name}, or set SWITCHYARD_PYTHON`)
      return undefined
    }
    const env = { ...process.env, LITELLM_LOCAL_MODEL_COST_MAP: "True" }
    const { stdout } = await promisify(execFile)(python, ["-c", program, ...given], { env })
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Readonly<Record<string, unknown>>
  })
