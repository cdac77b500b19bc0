/**
 * Arguments of a call that come value by value (`partialArgs`), each with its path: `$.items[0].name`.
 */
import type { JsonObject } from "@switchyard/core/Json"
import { field } from "../parts/spelling.js"

/** Longer lists and deeper paths are no arguments. */
const longest = 10_000
const deepest = 64

type Step = string | number

/** The steps of a path; undefined where it is none. */
const stepsOf = (path: string): ReadonlyArray<Step> | undefined => {
  if (!path.startsWith("$") || path.length > 4_096) return undefined
  const steps: Array<Step> = []
  let at = 1
  while (at < path.length) {
    if (steps.length > deepest) return undefined
    const mark = path.charAt(at)
    if (mark === ".") {
      let end = at + 1
      while (end < path.length && path.charAt(end) !== "." && path.charAt(end) !== "[") end++
      steps.push(path.slice(at + 1, end))
      at = end
    } else if (mark === "[") {
      const quote = path.charAt(at + 1)
      const isQuoted = quote === "'" || quote === '"'
      const end = isQuoted ? path.indexOf(`${quote}]`, at + 2) : path.indexOf("]", at)
      if (end === -1) return undefined
      if (isQuoted) steps.push(path.slice(at + 2, end))
      else {
        const index = Number(path.slice(at + 1, end))
        if (!Number.isInteger(index) || index < 0 || index > longest) return undefined
        steps.push(index)
      }
      at = end + (isQuoted ? 2 : 1)
    } else return undefined
  }
  return steps.length === 0 ? undefined : steps
}

type Node = Record<string, unknown> | Array<unknown>

const newObject = (): Record<string, unknown> => Object.create(null) as Record<string, unknown>

/** Puts the values together. */
export class PartialArguments {
  private readonly root = newObject()
  /** The path whose text goes on. */
  private open: string | undefined

  /** Fields that came at once. */
  merge(args: JsonObject): void {
    for (const name in args) this.root[name] = args[name]
  }

  /** One value, or a piece of a text; what cannot be read is passed over. */
  add(partial: JsonObject): void {
    const path = field(partial, "jsonPath")
    if (typeof path !== "string") return
    const steps = stepsOf(path)
    const text = field(partial, "stringValue")
    const value = text ?? field(partial, "numberValue") ?? field(partial, "boolValue")
    const isNull = field(partial, "nullValue") !== undefined
    if (steps === undefined || (value === undefined && !isNull)) return
    const goesOn = this.open === path && typeof text === "string"
    this.open = field(partial, "willContinue") === true ? path : undefined
    this.set(steps, isNull ? null : value, goesOn)
  }

  /** As JSON. */
  json(): string {
    return JSON.stringify(this.root)
  }

  private set(steps: ReadonlyArray<Step>, value: unknown, goesOn: boolean): void {
    let node: Node = this.root
    for (let at = 0; at < steps.length; at++) {
      const step = steps[at] as Step
      if (Array.isArray(node) !== (typeof step === "number")) return
      const holder = node as Record<Step, unknown>
      if (at === steps.length - 1) {
        const before = holder[step]
        holder[step] = goesOn && typeof before === "string" && typeof value === "string" ? before + value : value
        return
      }
      const inner = holder[step]
      if (typeof inner === "object" && inner !== null) node = inner as Node
      else {
        node = typeof steps[at + 1] === "number" ? [] : newObject()
        holder[step] = node
      }
    }
  }
}
