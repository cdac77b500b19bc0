import * as Time from "@switchyard/core/Time"
import type { Clock } from "effect"

/** Tells of a field once, wherever in a request it stands. */
export const onceEach = (tell: (fields: ReadonlyArray<string>) => void): ((paths: ReadonlyArray<string>) => void) => {
  const known = new Set<string>()
  return (paths) => {
    const fields = paths.map((path) => path.slice(path.lastIndexOf(".") + 1)).filter((field) => !known.has(field))
    if (fields.length === 0) return
    for (const field of fields) known.add(field)
    tell([...new Set(fields)])
  }
}

/** Calls `f` at most once in `ms`; what comes between is left out. */
export const onceEvery = <A>(ms: number, clock: Clock.Clock, f: (value: A) => void): ((value: A) => void) => {
  let last = Number.NEGATIVE_INFINITY
  return (value) => {
    const now = Time.nowMs(clock)
    if (now - last < ms) return
    last = now
    f(value)
  }
}
