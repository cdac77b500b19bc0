/**
 * Configurations in force, one after the other: each is a tower with its keys, and a reload makes the next. A request stays
 * with the generation that it came to; a generation that was replaced ends when its last request has ended.
 */
import * as Background from "@switchyard/core/Background"
import { ConfigError, issue } from "@switchyard/core/ConfigError"
import type * as Service from "@switchyard/core/Service"
import type { KeyBook } from "@switchyard/ledger/KeyBook"
import * as KeyTerms from "@switchyard/ledger/KeyTerms"
import { CallerTerms } from "@switchyard/router/CallerTerms"
import * as Router from "@switchyard/router/Router"
import { SpendWindows } from "@switchyard/router/SpendWindows"
import { type AnyStack, told } from "@switchyard/router/Stack"
import { Context, Effect, Exit, Runtime, Scope } from "effect"
import type { LoadedConfig } from "../config/ConfigFile.js"
import { secretIssues } from "../config/callerSecrets.js"
import type { GatewayConfig, VirtualKey } from "../config/GatewayConfig.js"
import * as KeyRing from "../keys/KeyRing.js"
import { withControlState } from "./controlState.js"

/** What a generation is made of: a configuration that was read from a file, or one made in code. */
export interface Source extends Partial<Omit<LoadedConfig, "config">> {
  readonly config: GatewayConfig
}

/** One configuration in force, or not any more. */
export interface Generation {
  /** 1 for the first. */
  readonly number: number
  readonly source: Source
  readonly keys: KeyRing.KeyRing
  readonly tower: Router.Built
  /** Wall-clock ms when it came into force. */
  readonly installedAt: number
}

/** A request's hold on its generation; `leave` it exactly once. */
export interface Lease {
  readonly generation: Generation
  readonly leave: () => void
}

/** Gives the generation in force, and replaces it. */
export class Generations extends Context.Tag("@switchyard/gateway/Generations")<
  Generations,
  {
    readonly current: () => Generation
    /** Holds the generation in force for one request. */
    readonly enter: () => Lease
    /**
     * Puts a configuration in force; a bad one changes nothing, and one without keys is bad where there were any.
     * Replacements come one after the other.
     */
    readonly install: (source: Source) => Effect.Effect<Generation, ConfigError>
    /** Notes why a configuration was refused; forgotten with the next that comes into force. */
    readonly refuse: (why: string) => void
    /** Why the last replacement was refused; undefined when it was not. */
    readonly lastRefusal: () => string | undefined
    /** How many generations still have requests, the one in force included. */
    readonly alive: () => number
  }
>() {}

const limitsOf = ({ maxParallel, rpm, tpm }: VirtualKey) => ({
  ...(rpm === undefined ? {} : { rpm }),
  ...(tpm === undefined ? {} : { tpm }),
  ...(maxParallel === undefined ? {} : { maxParallel })
})

/**
 * The router's options, with the limits and budgets of the keys in them. Requests are traced where the settings say so, and,
 * unless they say no, where spans are exported. `stack` is that of a configuration which has none of its own. `hasTerms`: there
 * are keys beside those of the configuration, with limits and budgets that `CallerTerms` tells.
 */
export const routerOptions = (
  { keys, router }: GatewayConfig,
  isExported = false,
  stack: AnyStack = Router.standard as AnyStack,
  hasTerms = false
): Router.Options => {
  const has = (name: string): boolean => ((router.stack ?? stack) as AnyStack).concerns.some(({ key }) => key === name)
  const limited = keys.filter((key) => Object.keys(limitsOf(key)).length > 0)
  const budgeted = keys.flatMap(({ budget, name }) => (budget === undefined ? [] : [[name, budget] as const]))
  return {
    ...router,
    stack: withControlState((router.stack ?? stack) as AnyStack) as typeof Router.standard,
    // Costs nothing until a request with the master key asks for a fault.
    faultInjection: true,
    ...(router.tracing === false || (router.tracing === undefined && !isExported)
      ? {}
      : { tracing: { requestKind: "server", ...router.tracing } }),
    ...(limited.length === 0 && !(hasTerms && has("callerLimits"))
      ? {}
      : {
          callerLimits: {
            ...told(router.callerLimits),
            callers: {
              ...told(router.callerLimits)?.callers,
              ...Object.fromEntries(limited.map((key) => [key.name, limitsOf(key)]))
            }
          }
        }),
    ...(budgeted.length === 0 && !(hasTerms && has("callerBudget"))
      ? {}
      : {
          callerBudget: {
            ...told(router.callerBudget),
            callers: { ...told(router.callerBudget)?.callers, ...Object.fromEntries(budgeted) }
          }
        })
  }
}

/** What was thrown, and where in a file, without what makes a module's address unique. */
const thrown = (defect: unknown): string => {
  if (!(defect instanceof Error)) return String(defect)
  const place = /\bfile:[^\s)]+/.exec(defect.stack ?? "")?.[0].replace(/\?[0-9a-f]+/, "")
  return place === undefined ? defect.message : `${defect.message} (${place})`
}

/** The tower of a configuration. What the concerns of its own stack throw while they are made is a mistake in it. */
export const towerOf = (
  { router }: GatewayConfig,
  options: Router.Options,
  base: Service.AttemptService,
  previous?: Router.Built
): Effect.Effect<Router.Built, ConfigError, Scope.Scope> => {
  const made = Router.make(options, base, previous)
  return router.stack === undefined
    ? made
    : Effect.catchAllDefect(made, (defect) =>
        Effect.fail(
          new ConfigError({
            issues: [{ path: "stack", value: thrown(defect), expected: "concerns that can be made" }]
          })
        )
      )
}

type Book = Context.Tag.Service<KeyBook>

/** What is not this process's alone. */
export interface Beyond {
  /** The ledger's keys, beside those of the configurations. */
  readonly book?: Book | undefined
  /** What was spent, where others know of it: a ledger, or all gateways together. */
  readonly spending?: Context.Tag.Service<SpendWindows> | undefined
  /** The states of all gateways together, where they share any. */
  readonly shared?: Context.Context<never> | undefined
}

/** The states of a tower that are not its own. */
const brought = ({ book, shared = Context.empty(), spending }: Beyond): Context.Context<never> => {
  const states = spending === undefined ? shared : Context.add(shared, SpendWindows, spending)
  return book === undefined ? states : Context.add(states as typeof shared, CallerTerms, KeyTerms.of(book))
}

/** Whoever reads the file while it is being written, or without its secret, must not take the lock off a running gateway. */
const staysLocked = (
  config: GatewayConfig,
  previous: Generation | undefined,
  book: Book | undefined
): Effect.Effect<void, ConfigError> =>
  previous === undefined || previous.keys.isOpen || KeyRing.isLocked(config) || book?.isUsed() === true
    ? Effect.void
    : Effect.fail(
        new ConfigError({
          issues: [
            issue(
              "masterKey",
              undefined,
              "a key, here or under keys: this gateway runs with one, and no reload opens it (restart to open it)"
            )
          ]
        })
      )

/** The decoder says it of files; a configuration may also be put together without it. */
const haveTheirOwn = ({ keys, masterKey }: GatewayConfig): Effect.Effect<void, ConfigError> => {
  const issues = secretIssues(keys, masterKey)
  return issues.length === 0 ? Effect.void : Effect.fail(new ConfigError({ issues }))
}

/** A generation with what keeps it alive. */
interface Held {
  readonly generation: Generation
  readonly scope: Scope.CloseableScope
  requests: number
  isReplaced: boolean
}

/**
 * The service over a base service that all generations share, and with it the connections to the providers. `isExported`:
 * there is somebody to keep spans. `stack` is that of configurations which have none of their own. What own concerns need of
 * the app is read from the context, but for what is not this process's alone.
 */
export const make = (
  first: Source,
  base: Service.AttemptService,
  isExported = false,
  stack?: AnyStack,
  beyond: Beyond = {}
): Effect.Effect<Context.Tag.Service<Generations>, ConfigError, Scope.Scope> =>
  Effect.gen(function* () {
    const runtime = yield* Background.runtime<never>()
    const runFork = Runtime.runFork(runtime)
    const oneAtATime = yield* Effect.makeSemaphore(1)
    const alive = new Set<Held>()
    const { book } = beyond
    const remembering = Effect.provide(brought(beyond))
    let refusal: string | undefined

    const end = (held: Held): Effect.Effect<void> =>
      Effect.suspend(() => (alive.delete(held) ? Scope.close(held.scope, Exit.void) : Effect.void))

    const build = (source: Source, previous: Held | undefined): Effect.Effect<Held, ConfigError> =>
      Effect.uninterruptible(
        Effect.gen(function* () {
          yield* staysLocked(source.config, previous?.generation, book)
          yield* haveTheirOwn(source.config)
          const scope = yield* Scope.make()
          const options = routerOptions(source.config, isExported, stack, book !== undefined)
          const tower = yield* towerOf(source.config, options, base, previous?.generation.tower).pipe(
            remembering,
            Scope.extend(scope),
            Effect.onError(() => Scope.close(scope, Exit.void))
          )
          const installedAt = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
          const number = (previous?.generation.number ?? 0) + 1
          const generation = { number, source, keys: KeyRing.make(source.config, book), tower, installedAt }
          const held: Held = { generation, scope, requests: 0, isReplaced: false }
          alive.add(held)
          return held
        })
      )

    let inForce = yield* build(first, undefined)
    yield* Effect.addFinalizer(() => Effect.forEach([...alive], end, { discard: true }))

    const replace = (next: Held): Effect.Effect<Generation> =>
      Effect.suspend(() => {
        const before = inForce
        inForce = next
        before.isReplaced = true
        refusal = undefined
        return Effect.as(before.requests === 0 ? end(before) : Effect.void, next.generation)
      })

    const install = (source: Source): Effect.Effect<Generation, ConfigError> =>
      Effect.uninterruptible(
        oneAtATime.withPermits(1)(
          Effect.flatMap(
            Effect.suspend(() => build(source, inForce)),
            replace
          )
        )
      )

    return {
      current: () => inForce.generation,
      enter: () => {
        const held = inForce
        held.requests++
        return {
          generation: held.generation,
          leave: () => {
            held.requests--
            if (held.requests === 0 && held.isReplaced) runFork(end(held))
          }
        }
      },
      install,
      refuse: (why) => {
        refusal = why
      },
      lastRefusal: () => refusal,
      alive: () => alive.size
    }
  })
