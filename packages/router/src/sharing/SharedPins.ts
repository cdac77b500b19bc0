/**
 * Who issued what, shared by many processes over an engine: a conversation may go on in another process than the one that began
 * it. What this process has seen itself it knows without asking.
 */

import type * as Crypto from "node:crypto"
import * as Background from "@switchyard/core/Background"
import * as Builtin from "@switchyard/core/Builtin"
import { DeploymentId } from "@switchyard/core/Deployment"
import { isJsonObject } from "@switchyard/core/Json"
import { nowMs } from "@switchyard/core/Time"
import { Effect, Runtime } from "effect"
import type { EngineGuard } from "../fleet/EngineGuard.js"
import { type Issued, type Issuer, memory } from "../pinning/Pinning.js"

const crypto = Builtin.find<typeof Crypto>("node:crypto")

/** How long it is remembered who issued something, ms: a day. */
const lasting = 86_400_000

/** How long nobody is asked again about what nobody knew, ms. */
const unknownFor = 60_000

/** So many of a request's states are asked about, the newest: they say most. */
const most = 16

/** Values that nobody knew: beyond, the oldest are forgotten. */
const maxUnknown = 10_000

const keyOf = (value: string): string =>
  `issued:${crypto === undefined ? value : crypto.createHash("sha256").update(value).digest("base64url")}`

const read = (text: string): Issuer | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    if (!isJsonObject(value) || typeof value.id !== "string") return undefined
    const caller = typeof value.caller === "string" ? { caller: value.caller } : {}
    return { id: DeploymentId(value.id), target: undefined, ...caller }
  } catch {
    return undefined
  }
}

/** A memory of what answers issued, over a guarded engine. */
export const make = (guard: EngineGuard): Effect.Effect<Issued> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const runFork = Runtime.runFork(yield* Background.runtime<never>())
    const own = memory()
    const { values } = guard.engine
    const unknown = new Map<string, number>()

    const noteUnknown = (value: string): void => {
      unknown.delete(value)
      unknown.set(value, nowMs(clock) + unknownFor)
      if (unknown.size > maxUnknown) for (const oldest of unknown.keys()) return void unknown.delete(oldest)
    }

    const isWorthAsking = (value: string): boolean => {
      const until = unknown.get(value)
      return own.owner(value) === undefined && (until === undefined || until <= nowMs(clock))
    }

    const learn = (value: string, capacity: number): Effect.Effect<void> =>
      Effect.match(guard.ask(values.get(keyOf(value))), {
        onFailure: () => {},
        onSuccess: (text) => {
          const issuer = text === undefined ? undefined : read(text)
          if (issuer === undefined) noteUnknown(value)
          else own.note(value, issuer, capacity)
        }
      })

    return {
      owner: (value) => own.owner(value),
      note: (value, owner, capacity) => {
        own.note(value, owner, capacity)
        unknown.delete(value)
      },
      share: (issued, { caller, id }) => {
        if (guard.mode() === "local") return
        const text = JSON.stringify(caller === undefined ? { id } : { id, caller })
        for (const value of issued) runFork(Effect.ignore(guard.ask(values.set(keyOf(value), text, lasting))))
      },
      find: (asked, capacity) => {
        const missing = guard.mode() === "local" ? [] : asked.filter(isWorthAsking).slice(-most)
        if (missing.length === 0) return undefined
        return Effect.forEach(missing, (value) => learn(value, capacity), { concurrency: "unbounded", discard: true })
      }
    }
  })
