/** The scenarios that come with the package. */
import { readFileSync } from "node:fs"
import type { ConfigError } from "@switchyard/core/ConfigError"
import type { Either } from "effect"
import { parse } from "./Scenario.js"
import type { ScenarioModel } from "./ScenarioModel.js"

/** Their names, as files are called. */
export const names = [
  "steady",
  "one-slow",
  "degrading",
  "outage-and-flapping",
  "hidden-rate-limit",
  "overload",
  "prices",
  "cold-start",
  "herd",
  "long-reasoning",
  "regional-failure",
  "many-replicas",
  "sessions"
] as const

/** The name of one. */
export type Name = (typeof names)[number]

/** Whether there is one of that name. */
export const isName = (name: string): name is Name => (names as ReadonlyArray<string>).includes(name)

/** The text of one, to begin one's own with. */
export const text = (name: Name): string =>
  readFileSync(new URL(`../../scenarios/${name}.yaml`, import.meta.url), "utf8")

/** One that comes with the package. */
export const get = (name: Name): Either.Either<ScenarioModel, ConfigError> => parse(text(name), name)
