/**
 * What is wrong with, or worth knowing about, a configuration file: the same as `@switchyard/core/Problem`.
 */
export * from "@switchyard/core/Problem"
