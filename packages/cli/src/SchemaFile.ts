/**
 * The JSON Schema of the configuration, which editors check a file against while it is written.
 */
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { Effect } from "effect"
import { fail, print } from "./output.js"

const location = Effect.sync(() =>
  join(
    dirname(createRequire(import.meta.url).resolve("@switchyard/gateway/package.json")),
    "schema",
    "switchyard.schema.json"
  )
)

/** Prints the schema, or where it is. */
export const run = ({ path }: { readonly path: boolean }) =>
  Effect.gen(function* () {
    const file = yield* location
    const content = yield* Effect.tryPromise(() => readFile(file, "utf8")).pipe(
      Effect.catchAll(() => fail(`schema: ${file} cannot be read`))
    )
    yield* print(path ? file : content.trimEnd())
  })
