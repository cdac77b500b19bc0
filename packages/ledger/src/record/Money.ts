/**
 * Money as whole nano-USD: sums of a year of calls of a millionth of a dollar each come out exact, in every engine.
 */
export { ofDollars, perDollar, toDollars } from "@switchyard/router/NanoUsd"
