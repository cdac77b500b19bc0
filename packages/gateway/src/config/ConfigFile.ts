/**
 * Reads a configuration file: YAML, includes, references to the environment, LiteLLM's format and our own. Every problem
 * comes at once, each with its line.
 */
import { Effect, Schema } from "effect"
import { assemble, isLiteLlm } from "./assemble.js"
import type { Variables } from "./Environment.js"
import { bounded, gathered } from "./findings/gathered.js"
import type { GatewayConfig } from "./GatewayConfig.js"
import * as Problem from "./Problem.js"
import { bytesOf, type Contents, type FilesRead, fingerprintOf, readFiles } from "./readFiles.js"
import { type ImportModule, readStack, type StackRead, unended } from "./stackModule.js"

export type { Contents }

/** A file that was read, and can be used. */
export interface LoadedConfig {
  readonly config: GatewayConfig
  /** Warnings and notes, and errors that cost one deployment each (`leavesOut`); others would have failed the reading. */
  readonly problems: ReadonlyArray<Problem.Problem>
  /** The file and everything that it includes, as absolute paths: what to watch. */
  readonly files: ReadonlyArray<string>
  /** The settings as the file says them, references to the environment unresolved and secrets masked, for display. */
  readonly display: unknown
  /** Stands for what the files said, to tell whether they have changed since. */
  readonly fingerprint: string
}

/** How a file is read. */
export interface ReadOptions {
  /** The environment. Default: the process's. */
  readonly env?: Variables
  /** Whether an unset variable is an `error` (default: the gateway would not work), or a `note` (for a check elsewhere). */
  readonly unsetVariables?: "error" | "note"
  /** What files say, by their absolute paths, where that is known already. Default: they are read. */
  readonly contents?: Contents
  /** How the module of a stack is loaded, by its address and what it says. Default: it is imported. */
  readonly importModule?: ImportModule
}

/** A file that cannot be used. `problems` holds warnings too, in the order of their lines. */
export class ConfigFileError extends Schema.TaggedError<ConfigFileError>("@switchyard/gateway/ConfigFileError")(
  "ConfigFileError",
  {
    /** The file's name, as it was given. */
    path: Schema.String,
    problems: Schema.Array(Problem.Fields),
    /** Absolute paths of what was read, or looked for: what to watch until it is mended. */
    files: Schema.Array(Schema.String),
    /** Stands for what the files said. */
    fingerprint: Schema.String
  }
) {
  override get message(): string {
    return `${this.path} cannot be used: ${Problem.summary(this.problems)}\n${Problem.render(this.problems)}`
  }
}

/** How {@link load} is called. */
export type Read = (path: string, options?: ReadOptions) => Effect.Effect<LoadedConfig, ConfigFileError>

const conclude = (
  path: string,
  read: FilesRead,
  module: StackRead,
  { env = process.env, unsetVariables = "error" }: ReadOptions
) => {
  const { names, root } = read
  const { file, stack } = module
  const files = [...read.files, ...(file === undefined ? [] : [file.path])]
  const fingerprint = fingerprintOf([...read.contents, ...(file === undefined ? [] : [file.bytes])])
  const assembled = root === undefined ? undefined : assemble(root, env, unsetVariables, stack, module.problems)
  const all = gathered(Problem.sorted([...read.problems, ...(assembled?.problems ?? [])], names))
  const config = assembled?.config
  const problems = bounded(all)
  return assembled === undefined || config === undefined || all.some(Problem.isFatal)
    ? Effect.fail(new ConfigFileError({ path, problems, files, fingerprint }))
    : Effect.succeed({ config, problems, files, display: assembled.display, fingerprint })
}

/** How long the module of a stack may take: who waits for it forever would read no other configuration either. */
const moduleSeconds = 10

/**
 * Reads a file, YAML or JSON, and everything that it includes. Fails with all that is wrong with it at once, also when it
 * is missing; what is merely not honoured comes with the result, and so does what costs no more than one deployment of a
 * LiteLLM file. No problem and no part of `display` shows a secret.
 */
export const load: Read = (path, options = {}) =>
  Effect.flatMap(
    Effect.promise(() => readFiles(path, options.env ?? process.env, isLiteLlm, options.contents)),
    (read) =>
      Effect.promise(() => readStack(read.root, options.importModule)).pipe(
        Effect.timeoutTo({
          duration: `${moduleSeconds} seconds`,
          onSuccess: (module) => Effect.succeed(module),
          onTimeout: () => Effect.promise(() => unended(read.root, moduleSeconds))
        }),
        Effect.flatten,
        Effect.flatMap((module) => conclude(path, read, module, options))
      )
  )

/**
 * What the files of a configuration say, for other processes to have the same; undefined where they say something else by now
 * than when it was loaded.
 */
export const contentsOf = ({
  files,
  fingerprint
}: Pick<LoadedConfig, "files" | "fingerprint">): Effect.Effect<Contents | undefined> =>
  Effect.promise(async () => {
    const all = await Promise.all(files.map(bytesOf))
    return fingerprintOf(all) === fingerprint
      ? new Map(files.map((file, index) => [file, all[index] ?? ""] as const))
      : undefined
  })
