export { Dice } from "@switchyard/testing/Dice"

/** The seed that a run was asked for by a variable of the environment, or a new one. */
export const seedFrom = (variable: string): number => {
  const given = Number(process.env[variable])
  return Number.isInteger(given) && given > 0 ? given : Date.now() % 1_000_000_000
}
