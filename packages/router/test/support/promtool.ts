/** Prometheus' own check of an exposition. */
import { spawnSync } from "node:child_process"

/** Whether promtool is here. Where it is not, one loud line says so; continuous integration must have it. */
export const hasPromtool = spawnSync("promtool", ["--version"]).error === undefined

if (!hasPromtool) {
  const message = "promtool is missing: apt-get install prometheus. The output was not checked by Prometheus itself."
  if (process.env["CI"] === "true") throw new Error(message)
  console.warn(message)
}

/** What `promtool check metrics` has to say; empty when it finds nothing. */
export const complaints = (text: string): string => {
  const { status, stderr, stdout } = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" })
  return status === 0 ? "" : `exit ${status}: ${stdout}${stderr}`
}
