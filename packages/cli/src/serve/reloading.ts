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
 * log it is one line here, and what is wrong below.
 */
export const onChange =
  ({ refuse, reload }: Taking, file: string, log: Pick<RequestLog, "isOff">) =>
  (change: Change): Effect.Effect<void> => {
    const say = (text: string) => Effect.suspend(() => (log.isOff() ? printError(`switchyard: ${text}`) : Effect.void))
    const refused = (why: string) => say(`${file} not reloaded, all stays as it was\n${plain(why)}`)
    if (Either.isLeft(change)) {
      const { problems } = change.left
      const errors = problems.filter(({ severity }) => severity === "error").map(Problems.renderOne)
      return Effect.zipRight(refuse(errors), refused(Problems.render(problems)))
    }
    const { config } = change.right
    return Effect.matchEffect(reload(change.right), {
      onFailure: ({ message }) => refused(message),
      onSuccess: ({ problems }) => {
        const found = problems.length === 0 ? "" : `; ${Problems.summary(problems)}, see switchyard check`
        return say(`${file} reloaded (${size(config)}${found})`)
      }
    })
  }
