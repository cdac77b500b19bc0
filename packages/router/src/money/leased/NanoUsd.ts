/**
 * Money as whole nano-USD: sums of a year of calls of a millionth of a dollar each come out exact, in every engine.
 */

/** Nano-USD in a USD. */
export const perDollar = 1_000_000_000

/** USD as nano-USD, rounded to the nearest; what is no amount (negative, not a number) is 0. At most `2^53 - 1`, 9 million USD. */
export const ofDollars = (dollars: number): number =>
  dollars > 0 ? Math.min(Math.round(dollars * perDollar), Number.MAX_SAFE_INTEGER) : 0

/** Nano-USD as USD. */
export const toDollars = (nano: number): number => nano / perDollar
