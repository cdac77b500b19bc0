/**
 * Fuzzes a target for a time or for a number of cases, and makes what it finds small.
 */
import { FastCheck as fc } from "effect"
import { type Target, Violation, writeFound } from "./target.js"

/** One broken promise, and the smallest input that was found for it. */
interface Found {
  readonly oracle: string
  readonly message: string
  readonly seed: number
  readonly path: string
}

export interface Campaign {
  readonly cases: number
  readonly found: ReadonlyArray<Found>
}

export interface Bounds {
  readonly seed: number
  /** Ends with whichever comes first. */
  readonly ms: number
  readonly cases: number
  /** Write found inputs to files. */
  readonly write: boolean
}

const now = (): number => performance.now()

/** Cases in one run of fast-check; between two of them it is looked at what is left. */
const batch = 200
/** Attempts at a smaller input. */
const maxTries = 400

const violationOf = async (judge: () => Promise<void>): Promise<Violation | undefined> => {
  try {
    await judge()
    return undefined
  } catch (error) {
    if (error instanceof Violation) return error
    return new Violation(
      `it threw ${error instanceof Error ? error.constructor.name : typeof error}`,
      String(error instanceof Error ? error.stack : error)
    )
  }
}

/** Takes pieces out of the bytes for as long as the same promise stays broken. */
const smaller = async <Case>(target: Target<Case>, item: Case, { oracle }: Violation): Promise<Case> => {
  let best = item
  let tries = 0
  for (let part = Math.ceil(target.bytesOf(best).length / 2); part >= 1; part = part === 1 ? 0 : Math.ceil(part / 2)) {
    for (let at = 0; at < target.bytesOf(best).length && tries < maxTries; ) {
      const bytes = target.bytesOf(best)
      const candidate = target.withBytes(best, Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + part)]))
      tries++
      const violation = await violationOf(() => target.check(candidate))
      if (violation?.oracle === oracle) best = candidate
      else at += part
    }
  }
  return best
}

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 60)

/** Judges every file of the corpus as it is. */
export const replay = async <Case>(target: Target<Case>): Promise<ReadonlyArray<string>> => {
  const problems: Array<string> = []
  for (const [file, item] of target.corpus) {
    const violation = await violationOf(() => target.check(item))
    if (violation !== undefined) problems.push(`${file}: ${violation.message}`)
  }
  return problems
}

export const run = async <Case>(target: Target<Case>, bounds: Bounds): Promise<Campaign> => {
  const found: Array<Found> = []
  const known = new Set<string>()
  const end = now() + bounds.ms
  let cases = 0
  const note = async (item: Case | undefined, violation: Violation, seed: number, path: string): Promise<void> => {
    known.add(violation.oracle)
    let { message } = violation
    if (item !== undefined && bounds.write) {
      const least = await smaller(target, item, violation)
      message = (await violationOf(() => target.check(least)))?.message ?? message
      const name = `${target.name}-${slug(violation.oracle)}-${seed}`
      const file = writeFound(name, target.extension, target.bytesOf(least), {
        ...violation,
        message,
        seed,
        path,
        case: least
      })
      console.error(`fuzz: ${message}\nfuzz: written to ${file}`)
    }
    found.push({ oracle: violation.oracle, message, seed, path })
  }
  for (let seed = bounds.seed; now() < end && cases < bounds.cases; seed++) {
    const property = fc.asyncProperty(target.cases, async (item) => {
      cases++
      const violation = await violationOf(() => target.check(item))
      if (violation !== undefined && !known.has(violation.oracle)) throw violation
    })
    const numRuns = Math.min(batch, bounds.cases - cases)
    const details = await fc.check(property, {
      seed,
      numRuns,
      interruptAfterTimeLimit: Math.max(1, end - now() + (known.size > 0 ? 0 : 5_000)),
      markInterruptAsFailure: false
    })
    if (details.failed && details.counterexample !== null) {
      const [item] = details.counterexample
      const violation = await violationOf(() => target.check(item))
      await note(
        item,
        violation ?? new Violation("only once", String(details.error)),
        seed,
        details.counterexamplePath ?? ""
      )
    }
    const left = await violationOf(target.settle)
    if (left !== undefined && !known.has(left.oracle)) await note(undefined, left, seed, "")
  }
  return { cases, found }
}
