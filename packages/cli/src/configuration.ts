/**
 * Reads the configuration file of a subcommand.
 */
import type { ConfigFileError, LoadedConfig, ReadOptions } from "@switchyard/gateway/ConfigFile"
import type { GatewayConfig } from "@switchyard/gateway/GatewayConfig"
import * as Problems from "@switchyard/gateway/Problem"
import { Effect } from "effect"
import { FromPackages, type Met, readOptions } from "./bundle/ownModules.js"
import { CommandError, counted, plain } from "./output.js"

/** Reads a file; the reader is loaded by then. Dies of {@link FromPackages} where it needs modules that import something. */
export const load = (path: string, options?: ReadOptions): Effect.Effect<LoadedConfig, ConfigFileError> =>
  Effect.flatMap(
    Effect.promise(() => import("@switchyard/gateway/ConfigFile")),
    ({ load }) => {
      const met: Met = { importing: false }
      return Effect.flatMap(Effect.exit(load(path, { ...readOptions(met), ...options })), (read) =>
        met.importing ? Effect.die(new FromPackages()) : read
      )
    }
  )

/** The same for a subcommand that has no use for a file with errors: it ends with all of them. */
export const requireFile = (
  command: string,
  path: string,
  options?: ReadOptions
): Effect.Effect<LoadedConfig, CommandError> =>
  load(path, options).pipe(
    Effect.mapError(({ problems }) => {
      const report = plain(Problems.render(problems))
      return new CommandError({
        message: `${command}: ${problems.length === 1 ? report : `${path} cannot be used\n${report}`}`
      })
    })
  )

/** `5 deployments in 3 groups`. */
export const size = ({ router }: GatewayConfig): string => {
  const groups = new Set(router.deployments.map(({ group }) => group))
  return `${counted(router.deployments.length, "deployment")} in ${counted(groups.size, "group")}`
}
