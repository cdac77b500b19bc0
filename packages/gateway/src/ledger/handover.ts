/**
 * What a planned restart hands over: open breakers, isolations and what providers said of their limits, as a note in the ledger that
 * the next start takes. Times are counted from when it was written, by the wall clock.
 */
import { nowMs } from "@switchyard/core/Time"
import type { Ledger } from "@switchyard/ledger/Ledger"
import { CooldownSnapshot, CooldownState } from "@switchyard/router/CooldownState"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import type { Built } from "@switchyard/router/Router"
import { UsageSnapshot, UsageWindows } from "@switchyard/router/UsageWindows"
import { type Clock, Context, Effect, Either, Schema, type Scope } from "effect"

const name = "restart"

/** Characters; some thousands of deployments in trouble. What is longer is not handed over. */
const longest = 1024 * 1024

/** Ms for which a start, or an end, waits for the store. */
const patience = 2_000

const Note = Schema.parseJson(
  Schema.Struct({
    version: Schema.Literal(1),
    /** Wall-clock ms. */
    at: Schema.Number.pipe(Schema.finite()),
    cooldowns: CooldownSnapshot,
    learned: UsageSnapshot
  })
)

const decode = Schema.decodeUnknownEither(Note)
const encode = Schema.encodeSync(Note)

type Tower = Pick<Built, "state">

/** What concerns have of it; undefined where a stack of one's own has none. */
const statesOf = ({ state }: Tower) => {
  const { unsafeMap } = state as unknown as Context.Context<CooldownState | DeploymentRegistry | UsageWindows>
  const has = [CooldownState, DeploymentRegistry, UsageWindows].every(({ key }) => unsafeMap.has(key))
  if (!has) return undefined
  return {
    cooldowns: Context.get(state, CooldownState),
    slots: Context.get(state, DeploymentRegistry).slots(),
    usage: Context.get(state, UsageWindows)
  }
}

/** The note of a tower; undefined where nothing is worth one. */
const written = (tower: Tower, clock: Clock.Clock): string | undefined => {
  const states = statesOf(tower)
  if (states === undefined) return undefined
  const now = nowMs(clock)
  const cooldowns = states.cooldowns.snapshot(states.slots, now)
  const learned = states.usage.snapshot(states.slots, now)
  const isEmpty = [cooldowns.breakers, cooldowns.isolated, learned].every((part) => Object.keys(part).length === 0)
  if (isEmpty) return undefined
  const text = encode({ version: 1, at: clock.unsafeCurrentTimeMillis(), cooldowns, learned })
  return text.length > longest ? undefined : text
}

/** Takes a note over; what is of another version, or no note at all, is left. Whether it was taken. */
const taken = (tower: Tower, text: string, clock: Clock.Clock): boolean => {
  const states = statesOf(tower)
  const note = text.length > longest ? undefined : Either.getOrUndefined(decode(text))
  if (states === undefined || note === undefined) return false
  const then = nowMs(clock) - Math.max(0, clock.unsafeCurrentTimeMillis() - note.at)
  states.cooldowns.restore(states.slots, note.cooldowns, then)
  states.usage.restore(states.slots, note.learned, then)
  return true
}

/**
 * Takes what the last planned restart left, once, and leaves a note when the scope closes. Nothing that is wrong with it stops a
 * start or an end.
 */
export const keep = (
  { store }: Pick<Context.Tag.Service<Ledger>, "store">,
  tower: () => Tower
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const before = yield* Effect.timeout(store.note(name), patience).pipe(Effect.orElseSucceed(() => undefined))
    if (before !== undefined && before !== "") {
      yield* Effect.sync(() => taken(tower(), before, clock)).pipe(
        Effect.catchAllDefect(() => Effect.void),
        Effect.zipRight(Effect.timeout(store.putNote(name, ""), patience)),
        Effect.ignore
      )
    }
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        const text = written(tower(), clock)
        return text === undefined ? Effect.void : Effect.timeout(store.putNote(name, text), patience)
      }).pipe(
        Effect.catchAllDefect(() => Effect.void),
        Effect.ignore
      )
    )
  })
