import { type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import type { AnyConcern } from "./Concern.js"

interface Ordered {
  readonly concerns: ReadonlyArray<AnyConcern>
  readonly allowed: ReadonlyArray<readonly [string, string]>
}

/** An order that one of two concerns says is wrong, with its reason, unless it was asked for. */
export const orderIssues = ({ allowed, concerns }: Ordered): ReadonlyArray<ConfigIssue> => {
  const at = new Map(concerns.map(({ id }, index) => [id, index]))
  const isWrong = (outer: string, inner: string): boolean => {
    const [a, b] = [at.get(outer), at.get(inner)]
    return a !== undefined && b !== undefined && a > b && !allowed.some(([o, i]) => o === inner && i === outer)
  }
  const wrong = (outer: string, inner: string, says: string, why: string) =>
    isWrong(outer, inner) ? [issue("stack", `${inner}, ${outer}`, `${says}: ${why}`)] : []
  return concerns.flatMap(({ id, inside, outside }) => [
    ...Object.entries(outside).flatMap(([other, why]) => wrong(id, other, `${id} outside ${other}`, why)),
    ...Object.entries(inside).flatMap(([other, why]) => wrong(other, id, `${id} inside ${other}`, why))
  ])
}

/** Whatever two concerns or states of a stack may not share. */
export const clashes = ({ concerns }: Ordered): ReadonlyArray<ConfigIssue> =>
  concerns.flatMap((one, index) =>
    concerns.slice(0, index).some(({ key, options }) => key === one.key && options !== one.options)
      ? [issue("stack", one.id, `the same options as all others under the key "${one.key}"`)]
      : []
  )
