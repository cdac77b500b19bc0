import type { LoadedConfig } from "@switchyard/gateway/ConfigFile"
import type { Change } from "@switchyard/gateway/ConfigWatch"
import * as Problems from "@switchyard/gateway/Problem"
import type { RequestLog } from "@switchyard/gateway/RequestLog"
import { Effect, Either } from "effect"
import { size } from "../configuration.js"
import { plain, printError } from "../output.js"

/** Who takes a configuration that was read again. */
export interface Taking {
  /** Puts it in force, and gives what was said of it; fails with why it is not in force. */
  readonly reload: (next: LoadedConfig) => Effect.Effect<Pick<LoadedConfig, "problems">, { readonly message: string }>
  /** Notes that it can't be used; each line says a reason. */
  readonly refuse: (why: ReadonlyArray<string>) => Effect.Effect<void>
}

/**
 * Puts a file that was read again in force, or says why the old configuration stays: the log has a line for it. Without a
 * log it is one line here, and what is wrong below. A file with mistakes that cost more deployments than those of the one in
 * force, `loaded` at first, is refused: what serves goes on, where a start would do without.
 */
export const onChange = (
  { refuse, reload }: Taking,
  file: string,
  log: Pick<RequestLog, "isOff">,
  loaded: Pick<LoadedConfig, "problems">
): ((change: Change) => Effect.Effect<void>) => {
  const say = (text: string) => Effect.suspend(() => (log.isOff() ? printError(`switchyard: ${text}`) : Effect.void))
  const refused = (why: string) => say(`${file} not reloaded, all stays as it was\n${plain(why)}`)
  const refuseFor = (problems: LoadedConfig["problems"]) => {
    const errors = problems.filter(({ severity }) => severity === "error").map(Problems.renderOne)
    return Effect.zipRight(refuse(errors), refused(Problems.render(problems)))
  }
  /** A fault keeps this configuration out of force, not those to come. */
  const ofItsOwn = (defect: unknown) => {
    const message = `a fault of its own: ${defect instanceof Error ? (defect.stack ?? defect.message) : String(defect)}`
    return Effect.zipRight(refuse([message]), Effect.fail({ message }))
  }
  let leftOut = Problems.leftOut(loaded.problems).length
  return (change) => {
    if (Either.isLeft(change)) return refuseFor(change.left.problems)
    const { config, problems: ofFile } = change.right
    const entries = Problems.leftOut(ofFile).length
    if (entries > leftOut) return refuseFor(ofFile)
    return Effect.matchEffect(Effect.catchAllDefect(reload(change.right), ofItsOwn), {
      onFailure: ({ message }) => refused(message),
      onSuccess: ({ problems }) => {
        leftOut = entries
        const found = problems.length === 0 ? "" : `; ${Problems.summary(problems)}, see switchyard check`
        return say(`${file} reloaded (${size(config)}${found})`)
      }
    })
  }
}
