/**
 * Keys for callers: one for a configuration, which holds its hash, or those of the ledger.
 */
import { nearest } from "@switchyard/core/Closest"
import { Effect } from "effect"
import { printEntry } from "./ledger/entry.js"
import type { KeyFlags } from "./ledger/keyDesk.js"
import { fail } from "./output.js"

/** What `key` is asked. */
export interface Flags extends KeyFlags {
  readonly action: string
  readonly named: string
  readonly "from-litellm": boolean
}

const actions = ["create", "list", "revoke", "import"] as const

/** Does what is asked for; without a word for it, makes an entry for the configuration. */
export const run = (flags: Flags) =>
  Effect.gen(function* () {
    const { action, named } = flags
    if (action === "") return yield* printEntry(flags.name ?? "caller")
    const known = actions.find((one) => one === action)
    if (known === undefined) {
      const [meant] = nearest(action, actions, 1)
      const hint = meant === undefined ? `there is ${actions.join(", ")}` : `did you mean ${meant}?`
      return yield* fail(`key: no action ${JSON.stringify(action)}; ${hint}`)
    }
    if (named !== "" && known !== "revoke")
      return yield* fail(`key: ${known}: ${JSON.stringify(named)} is one word too many`)
    const desk = yield* Effect.promise(() => import("./ledger/keyDesk.js"))
    switch (known) {
      case "create":
        return yield* desk.create(flags)
      case "list":
        return yield* desk.show(flags)
      case "revoke":
        return yield* desk.revoke(flags, named === "" ? (flags.name ?? "") : named)
      case "import":
        if (!flags["from-litellm"])
          return yield* fail("key: import: expected --from-litellm: no other program's keys are known")
        return yield* desk.importLiteLlm(flags)
    }
  }).pipe(Effect.scoped)
