import leven from "leven"

const normal = (name: string): string => name.toLowerCase().replace(/[-_\s]/g, "")

const letters = (name: string): string => [...name].sort().join("")

/** A letter in six, since `top_a` beside `top_k` and `speed` beside `seed` are names of their own; two in long ones. */
const borne = (name: string): number => (name.length < 6 ? 0 : name.length < 9 ? 1 : 2)

/**
 * Whether a name can only be a known one that is written wrongly: letters in another order, or a letter or two amiss. What is
 * merely near is some provider's own parameter more often than a mistake.
 */
export const isSlip = (name: string, meant: string): boolean => {
  const [own, other] = [normal(name), normal(meant)]
  return letters(own) === letters(other) || leven(own, other, { maxDistance: 3 }) <= borne(own)
}
