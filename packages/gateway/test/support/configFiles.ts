import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as ConfigFile from "@switchyard/gateway/ConfigFile"
import { Effect, Either } from "effect"

/** A folder with files, until the scope closes. */
export const folderWith = (files: Readonly<Record<string, string | Uint8Array>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "switchyard-config-"))
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
      return folder
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

/** Loads `config.yaml` of a folder with these files. */
export const loadFiles = (
  files: Readonly<Record<string, string | Uint8Array>>,
  env: Readonly<Record<string, string>> = {},
  unsetVariables: "error" | "note" = "error"
) =>
  Effect.scoped(
    Effect.flatMap(folderWith(files), (folder) =>
      Effect.map(
        Effect.either(ConfigFile.load(join(folder, "config.yaml"), { env, unsetVariables })),
        Either.mapLeft((error) => ({ error, folder }))
      )
    )
  )

/** The lines of an error's report, without the folder. */
export const reportOf = (result: Effect.Effect.Success<ReturnType<typeof loadFiles>>): ReadonlyArray<string> =>
  Either.match(result, {
    onLeft: ({ error, folder }) => error.message.replaceAll(`${folder}/`, "").split("\n"),
    onRight: () => []
  })
