/**
 * How many random cases a property tries: a share of them in an ordinary run, so that it stays short, and all of them when
 * `SWITCHYARD_THOROUGH=1`.
 */

/** What an ordinary run tries: one case of so many. */
const shareOf = 20

/** Whether everything is tried. Read once: it does not change within a run. */
const isThorough = process.env["SWITCHYARD_THOROUGH"] === "1"

/**
 * The number of cases to try, out of the `most`: also what a test may expect to have met in them, where it counts, said for
 * all of them.
 */
export const cases = (most: number): number => (isThorough ? most : Math.ceil(most / shareOf))
