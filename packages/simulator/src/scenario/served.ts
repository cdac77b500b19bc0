/** What a router may be asked for. */
import type * as Router from "@switchyard/router/Router"

/** Groups, deployments and aliases, by name; some stand for many. */
export const servedNames = ({ aliases, deployments }: Router.Options): ReadonlyArray<string> => [
  ...new Set([
    ...deployments.map(({ group }) => group),
    ...deployments.map(({ id }) => id),
    ...Object.keys(aliases ?? {})
  ])
]

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

/** Whether a name is one of them, or one that a `*` stands for. */
export const isServed = (name: string, served: ReadonlyArray<string>): boolean =>
  served.some(
    (one) => one === name || (one.includes("*") && new RegExp(`^${one.split("*").map(escaped).join(".*")}$`).test(name))
  )
