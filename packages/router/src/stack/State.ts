/**
 * What concerns remember, as a value: a name, options of its own, the states that it is made of, and a layer. A tower that
 * takes the place of another keeps the state whose options and needs are the same, and makes the rest anew.
 */
import type { ConfigError, ConfigIssue } from "@switchyard/core/ConfigError"
import { type Context, type Effect, type Layer, Schema } from "effect"

/** Any tag. */
// biome-ignore lint/suspicious/noExplicitAny: a tag is invariant in what it names, so only `any` stands for every tag
export type AnyTag = Context.Tag<any, any>
/** Any schema of options. */
// biome-ignore lint/suspicious/noExplicitAny: the same for what a schema decodes to
export type AnySchema = Schema.Schema<any, any, never>

/** Options as a file holds them, by their keys. */
export type Given = Readonly<Record<string, unknown>>

/** A shape whose static side has a name of its own: hovers and errors say `typeof Breakers` in place of all that it is. */
export type Named<A> = A & { new (_: never): object }

/** No options. */
export const none: typeof Schema.Void = Schema.Void
/** No options. */
export type None = typeof none

/** A state: what {@link make} was told, and as types what it needs. */
export interface State<Name extends string, Key extends string, Id, S extends AnySchema, Deep, R> {
  readonly _kind: "State"
  /** Its name; `name` is that of the class. */
  readonly id: Name
  /** Where its options stand. */
  readonly key: Key
  /** All keys that its options stand under, where that is not one alone. */
  readonly keys: ReadonlyArray<string> | undefined
  readonly tag: AnyTag
  readonly options: S
  readonly empty: unknown
  readonly needs: ReadonlyArray<AnyState>
  readonly over: boolean
  // biome-ignore lint/suspicious/noExplicitAny: what the options are is known where the state is made
  readonly layer: ((options: any, before: any) => Layer.Layer<any, ConfigError, any>) | undefined
  // biome-ignore lint/suspicious/noExplicitAny: the same
  readonly update: ((service: any, options: any) => Effect.Effect<void>) | undefined
  readonly issues: ((given: Given) => ReadonlyArray<ConfigIssue>) | undefined
  readonly check: ((given: Given) => ReadonlyArray<ConfigIssue>) | undefined
  /** Types only: the identifier of the tag. */
  readonly Id: Id
  /** Types only: the states that it needs, and theirs. */
  readonly Deep: Deep
  /** Types only: what only the app can bring. */
  readonly R: R
}

/** Any state. */
// biome-ignore lint/suspicious/noExplicitAny: as for tags
export type AnyState = State<string, string, any, AnySchema, any, any>

/** The identifiers of states' tags. */
export type IdOf<T extends AnyState> = T extends AnyState ? T["Id"] : never

/** What there is to say about a state. */
export interface Spec<Name, Key, I, V, S extends AnySchema, N extends ReadonlyArray<AnyState>> {
  /** What it is called, in words of the field. */
  readonly name: Name
  /** Where its options stand. Default: its name. */
  readonly key?: Key
  /** The keys that its options stand under at the top, where that is not one: `layer` gets them as they were given. */
  readonly keys?: ReadonlyArray<string>
  readonly tag: Context.Tag<I, V>
  /** Default: none. */
  readonly options?: S
  /** What its options are when none are given. Default: an empty object. */
  readonly empty?: S["Type"]
  /** States that it is made of. */
  readonly needs?: N
  /** Whether it stands before the app's service of the same tag, and is made over it, in place of giving way to it. */
  readonly over?: boolean
  /** `before` is the one of the tower before, where options have changed and what it needs has not. */
  readonly layer: (options: S["Type"], before: V | undefined) => Layer.Layer<I, ConfigError, IdOf<N[number]>>
  /** What is done to a state that is handed over, at the very end of a reload, when nothing can fail any more. */
  readonly update?: (service: V, options: S["Type"]) => Effect.Effect<void>
  /** What is wrong with the options under `keys`, which are not decoded. */
  readonly issues?: (given: Given) => ReadonlyArray<ConfigIssue>
  /** What is wrong with options that are well-formed each by itself. */
  readonly check?: (given: Given) => ReadonlyArray<ConfigIssue>
}

/** Options under several keys, by their type alone. */
export const shape = <A>(): Schema.Schema<A> => Schema.Any as never

/**
 * A state, to be made a class of. It lives in a scope of its own for as long as a tower uses it.
 *
 * @example
 * ```ts
 * import * as State from "@switchyard/router/State"
 * import { Context, Layer } from "effect"
 *
 * class Seen extends Context.Tag("app/Seen")<Seen, Map<string, number>>() {}
 *
 * class SeenModels extends State.make({ name: "seen", tag: Seen, layer: () => Layer.sync(Seen, () => new Map()) }) {}
 * ```
 */
export const make = <
  const Name extends string,
  I,
  V,
  S extends AnySchema = None,
  const N extends ReadonlyArray<AnyState> = [],
  const Key extends string = Name
>(
  spec: Spec<Name, Key, I, V, S, N>
): Named<State<Name, Key, I, S, N[number] | N[number]["Deep"], N[number]["R"]>> => branded(spec) as never

/** State that only the app can bring: a tower without it does not compile. */
export const required = <const Name extends string, I, V>(
  name: Name,
  tag: Context.Tag<I, V>
): Named<State<Name, Name, I, None, never, I>> => branded({ name, tag }) as never

const branded = ({ name, ...spec }: { readonly name: string; readonly tag: AnyTag }) =>
  Object.assign(class {}, {
    key: name,
    keys: undefined,
    options: none,
    empty: {},
    needs: [],
    over: false,
    layer: undefined,
    update: undefined,
    issues: undefined,
    check: undefined,
    ...spec,
    id: name,
    _kind: "State"
  })
