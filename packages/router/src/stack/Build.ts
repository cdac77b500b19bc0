/**
 * Builds a tower of a stack. A tower that takes the place of another takes over its state, which lives in scopes of its own
 * for that; a build that fails has changed nothing.
 */
import { ConfigError, type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import * as Defect from "@switchyard/core/Defect"
import { DeploymentService } from "@switchyard/core/DeploymentService"
import type { AttemptLayer, AttemptService, RequestLayer, RequestService } from "@switchyard/core/Service"
import { Context, Effect, Either, ExecutionStrategy, Exit, Layer, Scope } from "effect"
import type { AnyConcern, Tier, Turn } from "./Concern.js"
import { type Stack, type StateIdOf, statesOf } from "./Stack.js"
import type { AnyState, AnyTag, Given } from "./State.js"
import { sameOptions } from "./sameOptions.js"
import { check, givenAt, givenTo, isPresent } from "./stackOptions.js"

// biome-ignore lint/suspicious/noExplicitAny: a context of services of which only the tags' keys are known
type AnyContext = Context.Context<any>

/** A state in use. */
export interface Cell {
  readonly state: AnyState
  readonly options: unknown
  readonly service: unknown
  /** What a tower hands over must outlive that tower. None where the app owns it. */
  readonly scope: Scope.CloseableScope | undefined
  /** Towers that use it: with the last of them its scope closes. */
  users: number
}

/** Whose a state is: the app's, made for this tower, or taken over from the tower before. */
export type Owner = "app" | "tower" | "handed over"

/** A tower that was built. */
export interface Built<C extends AnyConcern> {
  readonly service: RequestService
  /** The attempt tier. Its `status` says whether a deployment would take a request now; asking reserves nothing. */
  readonly attempts: AttemptService
  /** Its state. It stands under no tags of the app's: the next tower would take it for the app's. */
  readonly state: Context.Context<StateIdOf<C>>
  readonly stack: Stack<C>
  /** The concerns that are there under its options. */
  readonly present: ReadonlyArray<AnyConcern>
  /** Whose each state is, by its name. */
  readonly owners: ReadonlyMap<string, Owner>
  /** For the tower that takes its place: nothing else should touch it. */
  readonly handover: Handover
}

/** What a tower hands over. */
export interface Handover {
  readonly cells: ReadonlyMap<string, Cell>
  /** What the app brought: a reload may run where it is not. */
  readonly app: AnyContext
}

const has = (context: AnyContext, tag: AnyTag): boolean => context.unsafeMap.has(tag.key)

const leave = (cell: Cell): Effect.Effect<void> =>
  Effect.suspend(() => {
    cell.users--
    return cell.users === 0 && cell.scope !== undefined ? Scope.close(cell.scope, Exit.void) : Effect.void
  })

const serviceOf = (cells: ReadonlyMap<string, Cell>, { tag }: AnyState): unknown => cells.get(tag.key)?.service

const contextOf = (states: ReadonlyArray<AnyState>, cells: ReadonlyMap<string, Cell>): AnyContext =>
  states.reduce<AnyContext>(
    (context, state) => Context.add(context, state.tag, serviceOf(cells, state)),
    Context.empty() as AnyContext
  )

/** What is done to states that are handed over, once nothing can fail any more. */
type Update = Effect.Effect<void>

const holdStates = (
  states: ReadonlyArray<AnyState>,
  given: Given,
  app: AnyContext,
  scope: Scope.Scope,
  before: Handover | undefined
) =>
  Effect.gen(function* () {
    const cells = new Map<string, Cell>()
    const owners = new Map<string, Owner>()
    const updates: Array<Update> = []
    const hold = (cell: Cell, owner: Owner): Effect.Effect<void> =>
      Effect.suspend(() => {
        cell.users++
        cells.set(cell.state.tag.key, cell)
        owners.set(cell.state.id, owner)
        return Scope.addFinalizer(scope, leave(cell))
      })
    for (const state of states) {
      const { over, tag, update } = state
      const options = givenTo(state, given)
      if (has(app, tag) && !over) {
        yield* hold({ state, options, service: app.unsafeMap.get(tag.key), scope: undefined, users: 0 }, "app")
        continue
      }
      const old = before?.cells.get(tag.key)
      const isOurs = old?.state === state && old.scope !== undefined && old.users > 0
      const isMadeOfSame = state.needs.every(
        (need) => before?.cells.get(need.tag.key)?.service === serviceOf(cells, need)
      )
      if (isOurs && isMadeOfSame && (update !== undefined || sameOptions(old.options, options))) {
        yield* hold(old, "handed over")
        if (update !== undefined) {
          updates.push(Effect.suspend(() => update(old.service, options)))
        }
        continue
      }
      if (state.layer === undefined) continue
      const own = yield* Scope.make()
      const made = state.layer(options, isOurs && isMadeOfSame ? old.service : undefined)
      // Built here and not in the app's graph of layers, where one layer value would be one state for all towers.
      const built = yield* Layer.build(made as Layer.Layer<unknown, ConfigError>).pipe(
        Scope.extend(own),
        Effect.provide(Context.merge(app, contextOf(state.needs, cells))),
        Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
      )
      yield* hold({ state, options, service: Context.get(built as AnyContext, tag), scope: own, users: 0 }, "tower")
    }
    return { cells, owners, updates }
  })

const missingIssues = (
  states: ReadonlyArray<AnyState>,
  present: ReadonlyArray<AnyConcern>,
  app: AnyContext
): ReadonlyArray<ConfigIssue> => [
  ...states.flatMap(({ id, layer, tag }) =>
    layer === undefined && !has(app, tag)
      ? [issue("stack", id, `the state ${tag.key}, which the app has to provide`)]
      : []
  ),
  ...present.flatMap(({ id, needs }) =>
    needs.flatMap((tag) =>
      has(app, tag) ? [] : [issue("stack", id, `the service ${tag.key}, which the app has to provide`)]
    )
  )
]

/**
 * Builds a tower around a base service, in the scope of the caller. One that takes the place of a `previous` one, the last
 * one made, keeps its state where the state's own options and what it is made of are the same. Options that are wrong, all of
 * which are told at once, change nothing.
 */
export const build = <C extends AnyConcern>(
  stack: Stack<C>,
  given: Given,
  base: AttemptService,
  previous?: { readonly handover: Handover }
): Effect.Effect<Built<C>, ConfigError, C["R"] | Scope.Scope> => {
  const caught = Defect.caught(base)
  const make = Effect.gen(function* () {
    const here = (yield* Effect.context<never>()) as AnyContext
    const scope = Context.get(here, Scope.Scope) as Scope.Scope
    const before = previous?.handover
    const app = before === undefined ? here : Context.merge(here, before.app)
    const present = stack.concerns.filter((concern) => isPresent(concern, given))
    const states = statesOf(stack.concerns)
    const issues = [...check(stack, given), ...missingIssues(states, present, app)]
    if (issues.length > 0) return yield* new ConfigError({ issues })

    const { cells, owners, updates } = yield* holdStates(states, given, app, scope, before)
    const state = contextOf(states, cells)
    const known = Context.merge(app, state).pipe(
      Context.add(DeploymentService, caught),
      Context.add(Scope.Scope, scope)
    )
    const made = yield* Effect.forEach(
      present.filter(({ tier }) => tier !== "beside"),
      (concern) =>
        Effect.suspend(() => {
          const layer: unknown = concern.make(givenAt(concern, given))
          return Effect.isEffect(layer) ? (layer as Effect.Effect<unknown, ConfigError>) : Effect.succeed(layer)
        }).pipe(
          Effect.provide(known),
          Effect.either,
          Effect.map((result) => ({ tier: concern.tier, result }))
        )
    )
    const failed = made.flatMap(({ result }) => (Either.isLeft(result) ? result.left.issues : []))
    if (failed.length > 0) return yield* new ConfigError({ issues: failed })
    const layersOf = (tier: Tier): ReadonlyArray<unknown> =>
      made.flatMap((one) => (one.tier === tier && Either.isRight(one.result) ? [one.result.right ?? []].flat() : []))
    const attempts = (layersOf("attempt") as ReadonlyArray<AttemptLayer>).reduceRight(
      (next, layer) => layer(next),
      caught
    )
    const turned = (layersOf("turn")[0] as Turn)(attempts)
    const service = (layersOf("request") as ReadonlyArray<RequestLayer>).reduceRight(
      (next, layer) => layer(next),
      turned
    )

    const beside = present
      .filter(({ tier }) => tier === "beside")
      .map((concern) => Effect.provide(concern.make(givenAt(concern, given)) as Effect.Effect<void>, known))
    // Up to here nothing that is in force has changed, and from here on nothing can fail.
    yield* Effect.uninterruptible(Effect.all([...updates, ...beside], { discard: true }))
    return { service, attempts, state, stack, present, owners, handover: { cells, app } } as unknown as Built<C>
  })
  return inScopeOfItsOwn(make as Effect.Effect<Built<C>, ConfigError, C["R"] | Scope.Scope>)
}

/** What fails gives back what it took, however long the caller's scope lives. */
const inScopeOfItsOwn = <A, E, R>(make: Effect.Effect<A, E, R | Scope.Scope>): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.scope, (parent) =>
      Effect.flatMap(Scope.fork(parent, ExecutionStrategy.sequential), (own) =>
        restore(make).pipe(
          Effect.provideService(Scope.Scope, own),
          Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
        )
      )
    )
  )
