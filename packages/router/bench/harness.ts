/**
 * Alternating rounds in one run: machines are noisy, ratios within a run are not. Each figure is printed as
 * min–median–max over the rounds.
 */
import { Effect } from "effect"

/** True for the short form that continuous integration runs. */
export const isShort = process.env["BENCH_SHORT"] === "1"

/** Rounds per subject. */
export const rounds = isShort ? 3 : 7

/** One thing to time: `n` repetitions in one effect. */
export interface Subject {
  readonly name: string
  readonly run: (n: number) => Effect.Effect<void>
}

/** µs per repetition, over the rounds. */
export interface Figure {
  readonly name: string
  readonly min: number
  readonly median: number
  readonly max: number
}

/** Runs an effect `n` times in one fiber. */
export const repeat = (n: number, effect: Effect.Effect<unknown, unknown>): Effect.Effect<void> => {
  let i = 0
  return Effect.whileLoop({
    while: () => i < n,
    body: () => effect,
    step: () => {
      i++
    }
  }).pipe(Effect.orDie)
}

/** A subject that repeats one effect. */
export const subject = (name: string, effect: Effect.Effect<unknown, unknown>): Subject => ({
  name,
  run: (n) => repeat(n, effect)
})

/** Times the subjects in turn, `n` repetitions a round, after a warm-up. */
export const measure = async (subjects: ReadonlyArray<Subject>, n: number): Promise<ReadonlyArray<Figure>> => {
  for (const { run } of subjects) await Effect.runPromise(run(Math.ceil(n / 4)))
  const times = subjects.map((): Array<number> => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, { run }] of subjects.entries()) {
      const start = process.hrtime.bigint()
      await Effect.runPromise(run(n))
      times[index]?.push(Number(process.hrtime.bigint() - start) / 1e3 / n)
    }
  }
  return subjects.map(({ name }, index) => {
    const sorted = [...(times[index] ?? [])].sort((a, b) => a - b)
    return {
      name,
      min: sorted[0] ?? Number.NaN,
      median: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN,
      max: sorted[sorted.length - 1] ?? Number.NaN
    }
  })
}

const fixed = (value: number): string => value.toFixed(2).padStart(9)

/** Prints the figures; with a baseline, also the difference and the ratio of the medians. */
export const print = (title: string, unit: string, figures: ReadonlyArray<Figure>, baseline?: Figure): void => {
  console.log(`\n${title} (${unit}; min, median, max of ${rounds} rounds)`)
  for (const figure of figures) {
    const compared =
      baseline === undefined
        ? ""
        : `   +${(figure.median - baseline.median).toFixed(2)} over the baseline, ×${(figure.median / baseline.median).toFixed(2)}`
    console.log(`  ${figure.name.padEnd(52)}${fixed(figure.min)}${fixed(figure.median)}${fixed(figure.max)}${compared}`)
  }
}

/** The middle one. */
export const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** CPU time in µs per repetition: other work on the machine does not count. */
export const cpu = async (effect: Effect.Effect<unknown, unknown>, n: number): Promise<number> => {
  const start = process.cpuUsage()
  await Effect.runPromise(repeat(n, effect))
  const { system, user } = process.cpuUsage(start)
  return (system + user) / n
}
