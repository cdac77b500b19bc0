/**
 * The tower as a value: its concerns in their order, outermost first, as the README draws it. An app takes the standard one
 * and changes what it wants by name; options, checks, state, reload and explanations follow.
 */
import type { Schema } from "effect"
import type { AnyConcern, Concern, Tier } from "./Concern.js"
import type { AnySchema, AnyState, IdOf, None } from "./State.js"

// biome-ignore lint/suspicious/noExplicitAny: its members stand for those of every concern of the tier
type OfTier<T extends Tier> = Concern<T, string, string, any, any, any>
type Names<C extends AnyConcern> = C["id"]
type Called<C, N> = Extract<C, { readonly id: N }>
/** The states of concerns, and those that they need. */
export type StateOf<C extends AnyConcern> = C extends { readonly state: ReadonlyArray<infer S extends AnyState> }
  ? S | S["Deep"]
  : never
/** The tags that the states of concerns stand under. */
export type StateIdOf<C extends AnyConcern> = IdOf<StateOf<C>>

type Keyed<C extends AnyConcern> = Exclude<
  StateOf<C>,
  { readonly options: None } | { readonly keys: ReadonlyArray<string> }
>
type OptionsAt<C extends AnyConcern, Key> =
  | Extract<C, { readonly key: Key }>["options"]["Encoded"]
  | Extract<Keyed<C>, { readonly key: Key }>["options"]["Encoded"]
  | (Extract<C, { readonly key: Key }> extends never ? never : false)

/** What a stack is told: each concern's options under its key, where `false` leaves it out, and each state's. */
export type Options<C extends AnyConcern> = {
  readonly [Key in C["key"] | Keyed<C>["key"]]?: OptionsAt<C, Key> | undefined
}

/** The fields of the options of a stack, by their keys; each may be left out. */
export type Fields = Readonly<Record<string, Schema.optional<AnySchema>>>

/** Options of a concern where it is there; undefined where `false` leaves it out, and where nothing was said. */
export const told = <A>(options: A | false | undefined): A | undefined => (options === false ? undefined : options)

type Tiered<D extends AnyConcern, T extends Tier, Where extends string> = D["tier"] extends T
  ? D
  : `"${D["id"]}" is a concern of the ${D["tier"]} tier, and ${Where} is the ${T} tier`
/** Of a stack whose concerns are not known (`Stack<any>`) only the tier is checked here, and names when it is changed. */
type Fits<D, C extends AnyConcern, T extends Tier, Where extends string> = D extends AnyConcern
  ? string extends Names<C>
    ? Tiered<D, T, Where>
    : D["id"] extends Names<C>
      ? `the stack has a concern "${D["id"]}" already: replace it, or give this one another name`
      : Tiered<D, T, Where>
  : never

type Outside<T extends Tier> = T extends "turn" ? "request" : T
type Inside<T extends Tier> = T extends "turn" ? "attempt" : T
type Removable<C extends AnyConcern> = C extends { readonly tier: "turn" } ? never : C["id"]

const TypeId: unique symbol = Symbol.for("@switchyard/router/Stack")

/** Whether a value is a stack, also one that another copy of this package has made. */
export const isStack = (value: unknown): value is AnyStack =>
  typeof value === "object" && value !== null && TypeId in value

/** A tower as a value. Changing one gives another. A name that is not there, or is there twice, is thrown as a mistake of code. */
export interface Stack<in out C extends AnyConcern> {
  readonly [TypeId]: true
  /** The request tier from the outermost, the turn, the attempt tier down to the base, and then what stands beside. */
  readonly concerns: ReadonlyArray<AnyConcern>
  /** Pairs of names, outer and inner, whose order is meant although one of them says otherwise. */
  readonly allowed: ReadonlyArray<readonly [string, string]>
  /** Types only. */
  readonly _C?: (_: C) => C
  /** As the outermost of its tier. */
  append<D extends AnyConcern>(concern: Fits<D, C, "request" | "attempt" | "beside", "what is appended">): Stack<C | D>
  /** Directly outside of the one that is named. */
  insertBefore<N extends Names<C>, D extends AnyConcern>(
    name: N,
    concern: Fits<D, C, Outside<Called<C, N>["tier"]>, `outside of "${N}"`>
  ): Stack<C | D>
  /** Directly inside of the one that is named. */
  insertAfter<N extends Names<C>, D extends AnyConcern>(
    name: N,
    concern: Fits<D, C, Inside<Called<C, N>["tier"]>, `inside of "${N}"`>
  ): Stack<C | D>
  /** In its place. */
  replace<N extends Names<C>, D extends AnyConcern>(
    name: N,
    concern: Tiered<D, Called<C, N>["tier"], `where "${N}" stands`>
  ): Stack<Exclude<C, { readonly id: N }> | D>
  /** Without it. The turn stays: it can be replaced only. */
  remove<N extends Removable<C>>(name: N): Stack<Exclude<C, { readonly id: N }>>
  /** Asks for an order of two that one of them says is wrong. */
  allow<A extends Names<C>, B extends Names<C>>(outer: A, inner: B): Stack<C>
}

/** A stack of which the concerns are not known, as one that a file names: names are checked when it is changed. */
// biome-ignore lint/suspicious/noExplicitAny: nothing is known of what comes from elsewhere
export type AnyStack = Stack<any>

const firstOf = (concerns: ReadonlyArray<AnyConcern>, tier: Tier): number => {
  const turn = concerns.findIndex((concern) => concern.tier === "turn")
  const beside = concerns.findIndex((concern) => concern.tier === "beside")
  return tier === "request" ? 0 : tier === "attempt" ? turn + 1 : beside < 0 ? concerns.length : beside
}

const of = <C extends AnyConcern>(concerns: ReadonlyArray<AnyConcern>, allowed: Stack<C>["allowed"] = []): Stack<C> => {
  const at = (name: string): number => {
    const index = concerns.findIndex(({ id }) => id === name)
    if (index < 0) throw new Error(`no concern "${name}" in the stack: ${concerns.map(({ id }) => id).join(", ")}`)
    return index
  }
  const spliced = (start: number, gone: number, added: ReadonlyArray<AnyConcern>): Stack<never> => {
    const next = [...concerns.slice(0, start), ...added, ...concerns.slice(start + gone)]
    for (const { id, tier } of added) {
      if (next.filter((one) => one.id === id).length > 1) throw new Error(`a concern "${id}" is in the stack already`)
      const order = ["request", "turn", "attempt", "beside"]
      const misplaced = next.some(
        (one, index) => index > 0 && order.indexOf(next[index - 1]?.tier ?? "") > order.indexOf(one.tier)
      )
      if (misplaced) throw new Error(`"${id}" is a concern of the ${tier} tier: it cannot stand there`)
    }
    return of<never>(next, allowed)
  }
  const stack: Stack<never> = {
    [TypeId]: true,
    concerns,
    allowed,
    append: (concern) => spliced(firstOf(concerns, (concern as AnyConcern).tier), 0, [concern as AnyConcern]) as never,
    insertBefore: (name, concern) => spliced(at(name), 0, [concern as AnyConcern]) as never,
    insertAfter: (name, concern) => spliced(at(name) + 1, 0, [concern as AnyConcern]) as never,
    replace: (name, concern) => spliced(at(name), 1, [concern as AnyConcern]) as never,
    remove: (name) => {
      const index = at(name)
      if (concerns[index]?.tier === "turn") throw new Error(`"${String(name)}" is the turn: it can be replaced only`)
      return spliced(index, 1, []) as never
    },
    allow: (outer, inner) => of(concerns, [...allowed, [outer, inner]]) as never
  }
  return stack as unknown as Stack<C>
}

/** A stack that reads like the picture: the request tier from the outermost, the turn, the attempt tier down to the base. */
export const make = <
  const Requests extends ReadonlyArray<OfTier<"request">>,
  T extends OfTier<"turn">,
  const Attempts extends ReadonlyArray<OfTier<"attempt">>,
  const Beside extends ReadonlyArray<OfTier<"beside">> = []
>(tiers: {
  readonly request: Requests
  readonly turn: T
  readonly attempt: Attempts
  /** What stands in no call's way. */
  readonly beside?: Beside
}): Stack<Requests[number] | T | Attempts[number] | Beside[number]> =>
  of([...tiers.request, tiers.turn, ...tiers.attempt, ...(tiers.beside ?? [])])

/** The states of a stack, each once, those that others need before them. */
export const statesOf = (concerns: ReadonlyArray<AnyConcern>): ReadonlyArray<AnyState> => {
  const found = new Set<AnyState>()
  const add = (state: AnyState): void => {
    state.needs.forEach(add)
    found.add(state)
  }
  for (const concern of concerns) for (const state of concern.state) add(state as AnyState)
  return [...found]
}
