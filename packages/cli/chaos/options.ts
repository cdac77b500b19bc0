/** What a run is asked on the command line. */
import { parseArgs } from "node:util"

/** How long, and by which chance. */
export interface Options {
  /** Seconds of faults and calls; starting and the look at what is left come on top. */
  readonly seconds: number
  readonly seed: number
  /** File for the figures of the tables, and all else that was found. */
  readonly json: string | undefined
}

/** Seconds of the short form, which is part of the continuous checks. */
const shortForm = 20

const usage = "usage: npm run chaos -- [--minutes N] [--seed N] [--json FILE]"

const number = (name: string, text: string | undefined, least: number): number | undefined => {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() === "" || !Number.isFinite(value) || value < least) {
    throw new Error(`--${name}: expected a number of at least ${least}, found ${JSON.stringify(text)}\n${usage}`)
  }
  return value
}

/** Reads the arguments; throws a message for people. */
export const read = (argv: ReadonlyArray<string>): Options => {
  const { values } = parseArgs({
    args: [...argv],
    options: { minutes: { type: "string" }, seed: { type: "string" }, json: { type: "string" } }
  })
  const minutes = number("minutes", values.minutes, 0.1)
  return {
    seconds: minutes === undefined ? shortForm : minutes * 60,
    seed: Math.floor(number("seed", values.seed, 0) ?? Date.now() % 1_000_000_000),
    json: values.json
  }
}
