/**
 * What a misspelt name was probably meant to be.
 */
import leven from "leven"

const normal = (name: string): string => name.toLowerCase().replace(/[-_\s]/g, "")

/** Two slips, or a third of the name; one in names of three letters, where two would fit anything. */
const slips = (name: string): number => (name.length <= 3 ? 1 : Math.max(2, Math.ceil(name.length / 3)))

const letters = (name: string): string => [...name].sort().join("")

/** Letters in another order are one slip, not two. Names of another length are told apart before anything is made of them. */
const distanceOf = (name: string, other: string, maxDistance: number): number => {
  if (Math.abs(name.length - other.length) >= maxDistance) return maxDistance
  const isMixed = name.length === other.length && name !== other && letters(name) === letters(other)
  return isMixed ? 1 : leven(name, other, { maxDistance })
}

/** Nobody slips in a name as long as this, and to compare two of them takes the product of their lengths. */
const longest = 200

/** The known name nearest to one that is not known; undefined when none is near. Case, hyphens and underscores count nothing. */
export const closest = (name: string, known: Iterable<string>): string | undefined => {
  if (name.length > longest) return undefined
  const wanted = normal(name)
  let found: string | undefined
  let distance = slips(wanted) + 1
  for (const candidate of known) {
    if (candidate.length > longest) continue
    const next = distanceOf(wanted, normal(candidate), distance)
    if (next < distance && candidate !== name) {
      found = candidate
      distance = next
    }
  }
  return found
}

/** The known names that somebody may have meant, best first: near ones, and those that hold the name; empty where there is none. */
export const nearest = (name: string, known: Iterable<string>, most = 3): ReadonlyArray<string> => {
  if (name.length > longest) return []
  const limit = Math.max(2, Math.floor(name.length / 3))
  return [...known]
    .filter(({ length }) => length <= longest)
    .map((other) => ({ other, distance: leven(name, other) }))
    .filter(({ distance, other }) => distance <= limit || (name.length > 2 && other.includes(name)))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ other }) => other)
}
