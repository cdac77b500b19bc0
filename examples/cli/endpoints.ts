/**
 * Real endpoints for the CLI: a JSON file with the router's options, and keys from the environment.
 */
import { FileSystem } from "@effect/platform"
import { ConfigError, issue } from "@switchyard/core/ConfigError"
import type * as Router from "@switchyard/router/Router"
import { Effect } from "effect"

const fail = (path: string, value: unknown, expected: string): Effect.Effect<never, ConfigError> =>
  Effect.fail(new ConfigError({ issues: [issue(path, value, expected)] }))

/** Puts environment variables in place of `${NAME}`; every one that is not set is an issue. */
const interpolate = (value: unknown, path: string, missing: Array<ReturnType<typeof issue>>): unknown => {
  if (typeof value === "string") {
    return value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const found = process.env[name]
      if (found === undefined) missing.push(issue(path, undefined, `the environment variable ${name} to be set`))
      return found ?? ""
    })
  }
  if (Array.isArray(value)) return value.map((item, index) => interpolate(item, `${path}[${index}]`, missing))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, interpolate(item, path === "" ? key : `${path}.${key}`, missing)])
  )
}

/**
 * Reads the router's options from a JSON file. `${NAME}` in any string is taken from the environment. What is in it is
 * checked by the router; an unreadable file, broken JSON and unset variables fail here.
 */
export const load = (file: string): Effect.Effect<Router.Options, ConfigError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const content = yield* Effect.catchAll(files.readFileString(file), () =>
      fail("--config", file, "a file that can be read")
    )
    const parsed = yield* Effect.catchAll(
      Effect.try((): unknown => JSON.parse(content)),
      (error) => fail("--config", file, `JSON (${error.error instanceof Error ? error.error.message : "unreadable"})`)
    )
    const missing: Array<ReturnType<typeof issue>> = []
    const options = interpolate(parsed, "", missing)
    if (missing.length > 0) return yield* new ConfigError({ issues: missing })
    if (typeof options !== "object" || options === null || Array.isArray(options)) {
      return yield* fail("--config", file, "a JSON object with `deployments`")
    }
    return options as Router.Options
  })
