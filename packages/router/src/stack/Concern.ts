/**
 * A concern of the tower as a value: all that there is to say about a breaker, a cache, a guardrail in one place. What it is
 * called, where it stands and why, what it is told, what it remembers, and how its layer is made. Finagle's modules with
 * roles are the model.
 */
import type { ConfigError, ConfigIssue } from "@switchyard/core/ConfigError"
import type { DeploymentService } from "@switchyard/core/DeploymentService"
import type { AttemptLayer, AttemptService, RequestLayer, RequestService } from "@switchyard/core/Service"
import { type Context, type Effect, Schema, type Scope } from "effect"
import type { AnySchema, AnyState, AnyTag, Given, IdOf, Named } from "./State.js"

/**
 * Where a concern stands: in the way of a request, at the turn, in the way of an attempt, or in nobody's way, as health
 * probes do.
 */
export type Tier = "request" | "turn" | "attempt" | "beside"

/** The turn: what chooses a deployment for a request. */
export type Turn = (attempts: AttemptService) => RequestService

interface LayerOf {
  readonly request: RequestLayer
  readonly turn: Turn
  readonly attempt: AttemptLayer
}

/**
 * What a concern makes: its layer, or an effect that makes it; undefined where there is nothing to do. What stands beside is
 * a program, which is run when all else is in place and forks into the tower's scope what shall go on.
 */
export type Made<T extends Tier, R> = T extends keyof LayerOf
  ? LayerOf[T] | undefined | Effect.Effect<LayerOf[T] | undefined, ConfigError, R>
  : Effect.Effect<void, never, R>

/** A concern: what {@link request} and its like were told, and as types what it needs. */
export interface Concern<
  T extends Tier,
  Name extends string,
  Key extends string,
  S extends AnySchema,
  St extends AnyState,
  R
> {
  readonly _kind: "Concern"
  readonly tier: T
  /** Its name; `name` is that of the class. */
  readonly id: Name
  /** Where its options stand. */
  readonly key: Key
  readonly options: S
  readonly about: string | undefined
  readonly on: boolean
  readonly impliedBy: Readonly<Record<string, object>>
  readonly outside: Readonly<Record<string, string>>
  readonly inside: Readonly<Record<string, string>>
  readonly state: ReadonlyArray<St>
  readonly needs: ReadonlyArray<AnyTag>
  /** Types only: what the app has to bring, for its states too. A plain member, so that hovers and errors show the tags. */
  readonly R: R
  // biome-ignore lint/suspicious/noExplicitAny: what the options are is known where the concern is made
  readonly make: (options: any) => Made<T, any>
  readonly check: ((given: Given) => ReadonlyArray<ConfigIssue>) | undefined
}

/** Any concern. */
// biome-ignore lint/suspicious/noExplicitAny: its members stand for those of every concern
export type AnyConcern = Concern<Tier, string, string, AnySchema, any, any>

/** Nothing to be told but whether it is there at all. */
export const flag: Schema.Schema<boolean> = Schema.Boolean.annotations({
  message: () => ({ message: "true or false", override: true })
})

/** What there is to say about a concern. */
export interface Spec<
  T extends Tier,
  Name,
  Key,
  S extends AnySchema,
  St extends ReadonlyArray<AnyState>,
  Tags extends ReadonlyArray<AnyTag>
> {
  /** Its name in the stack, unique there. */
  readonly name: Name
  /** Where its options stand. Concerns that stand in several places (metrics, spans) share one key. Default: its name. */
  readonly key?: Key
  /** What it is told. Default: nothing but whether it is there. */
  readonly options?: S
  /** One sentence: what it is for. */
  readonly about?: string
  /** Whether it is there when its options are not given. Default true. */
  readonly on?: boolean
  /** Keys of concerns with which it is there although its own options are not given, each with the options that it has then. */
  readonly impliedBy?: Readonly<Record<string, S["Type"] & object>>
  /** Names of concerns that it belongs outside of, each with the reason. */
  readonly outside?: Readonly<Record<string, string>>
  /** Names of concerns that it belongs inside of, each with the reason. */
  readonly inside?: Readonly<Record<string, string>>
  /** What it remembers, or reads. */
  readonly state?: St
  /** Services of the app that `make` asks for: as values, so that a stack that comes from a file can name what is missing. */
  readonly needs?: Tags
  /** Its layer, from its options. The base service can be asked for, as {@link DeploymentService}. */
  readonly make: (
    options: S["Type"]
  ) => Made<T, IdOf<St[number]> | Context.Tag.Identifier<Tags[number]> | DeploymentService | Scope.Scope>
  /** What is wrong with options that are well-formed each by itself. */
  readonly check?: (given: Given) => ReadonlyArray<ConfigIssue>
}

const of =
  <T extends Tier>(tier: T) =>
  <
    const Name extends string,
    S extends AnySchema = typeof flag,
    const St extends ReadonlyArray<AnyState> = [],
    const Tags extends ReadonlyArray<AnyTag> = [],
    const Key extends string = Name
  >(
    spec: Spec<T, Name, Key, S, St, Tags>
  ): Named<Concern<T, Name, Key, S, St[number], Tags[number]["Identifier"] | St[number]["R"]>> => {
    const { name, ...rest } = spec
    return Object.assign(class {}, {
      key: name,
      options: flag,
      about: undefined,
      on: true,
      impliedBy: {},
      outside: {},
      inside: {},
      state: [],
      needs: [],
      check: undefined,
      ...rest,
      id: name,
      tier,
      _kind: "Concern"
    }) as never
  }

/**
 * A concern in the way of a request, to be made a class of.
 *
 * @example
 * ```ts
 * import * as Service from "@switchyard/core/Service"
 * import * as Concern from "@switchyard/router/Concern"
 * import * as Router from "@switchyard/router/Router"
 *
 * class Patient extends Concern.request({
 *   name: "patient",
 *   about: "Serves nobody who is in a hurry",
 *   outside: { retry: "what is patient once is patient again" },
 *   make: () => Service.mapRequest((call) => call)
 * }) {}
 *
 * const stack = Router.standard.insertBefore("retry", Patient)
 * ```
 */
export const request = of("request")
/** What chooses a deployment for a request; a stack has one. */
export const turn = of("turn")
/** A concern in the way of an attempt: of what has its deployment. */
export const attempt = of("attempt")
/** A concern that stands in no call's way: probes, counters of events, reports. */
export const beside = of("beside")
