/** What a stack is told: one schema of all options, and everything that is wrong with them. */
import { type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import * as Field from "@switchyard/core/Field"
import { Option, Schema, SchemaAST } from "effect"
import { type AnyConcern, flag } from "./Concern.js"
import { clashes, orderIssues } from "./order.js"
import { type Fields, type Options, type Stack, statesOf } from "./Stack.js"
import { type AnySchema, type AnyState, type Given, none } from "./State.js"

const orFalse = (options: AnySchema): AnySchema =>
  options === flag ? flag : Schema.Union(Schema.Literal(false), options)

/** What is said of the options themselves goes before what is said of the concern. */
const fieldOf = ({ about, on, options }: AnyConcern) => {
  const description = about === undefined ? "" : `${about}.`
  if (options === flag) return Field.option(flag, description, on)
  const isDescribed = about === undefined || Option.isSome(SchemaAST.getDescriptionAnnotation(options.ast))
  return isDescribed ? Schema.optional(orFalse(options)) : Field.option(orFalse(options), description)
}

/** The fields of the options of a stack: those of its concerns, and those of its states where no concern has the key. */
export const fields = <C extends AnyConcern>(stack: Stack<C>): Fields => ({
  ...Object.fromEntries(
    statesOf(stack.concerns)
      .filter(({ keys, options }) => keys === undefined && options !== none)
      .map(({ key, options }) => [key, Schema.optional(options)])
  ),
  ...Object.fromEntries(stack.concerns.map((concern) => [concern.key, fieldOf(concern)]))
})

const schemas = new WeakMap<object, Schema.Schema<never>>()

/** One schema of all options of a stack, of which a JSON schema can be made. It is made once: reloads are checked by it. */
const schema = <C extends AnyConcern>(stack: Stack<C>): Schema.Schema<Options<C>> => {
  const known = schemas.get(stack)
  if (known !== undefined) return known as never
  const made = Schema.Struct(fields(stack)) as never
  schemas.set(stack, made)
  return made
}

/** The options of a state, as they were given; `false` under a concern's key says nothing about the state of that key. */
export const givenTo = (state: AnyState, given: Given): unknown => {
  if (state.keys === undefined) return given[state.key] === false ? state.empty : (given[state.key] ?? state.empty)
  return Object.fromEntries(state.keys.flatMap((key) => (given[key] === undefined ? [] : [[key, given[key]]])))
}

const isOn = (given: Given, key: string): boolean => given[key] !== undefined && given[key] !== false

/** The options that a concern has because another is there; undefined for none. */
const impliedAt = ({ impliedBy }: AnyConcern, given: Given): unknown =>
  Object.entries(impliedBy).find(([key]) => isOn(given, key))?.[1]

/** Whether a concern is there under these options. */
export const isPresent = (concern: AnyConcern, given: Given): boolean => {
  const { key, on } = concern
  return isOn(given, key) || (given[key] === undefined && (on || impliedAt(concern, given) !== undefined))
}

/** What a concern is told: nothing is the same as no options. */
export const givenAt = (concern: AnyConcern, given: Given): unknown => {
  const { key, options } = concern
  return options === flag ? true : (given[key] ?? impliedAt(concern, given) ?? {})
}

/** Everything that is wrong with a stack and its options, each with its path; empty when they make a tower. */
export const check = <C extends AnyConcern>(stack: Stack<C>, given: Given): ReadonlyArray<ConfigIssue> => {
  const states = statesOf(stack.concerns)
  const apart = new Set(states.flatMap(({ keys }) => keys ?? []))
  const told = Object.fromEntries(
    Object.entries(given).filter(([key, value]) => !apart.has(key) && value !== undefined)
  )
  const tags = states.map(({ tag }) => tag.key)
  const found = [
    ...orderIssues({ ...stack, concerns: stack.concerns.filter((concern) => isPresent(concern, given)) }),
    ...clashes(stack),
    ...states.flatMap(({ id, tag }, index) =>
      tags.indexOf(tag.key) === index
        ? []
        : [issue("stack", id, `a tag of its own: another state stands under ${tag.key}`)]
    ),
    ...states.flatMap(({ issues }) => issues?.(given) ?? []),
    ...Field.issuesOf(schema(stack), told, "")
  ]
  if (found.length > 0) return found
  const further = [...states, ...stack.concerns].flatMap(({ check }) => check?.(given) ?? [])
  return [...new Map(further.map((one) => [`${one.path}\n${one.expected}`, one])).values()]
}
