/**
 * Prometheus' own tools, where they are installed. Where they are not, one loud line says how to get them; continuous
 * integration must have them.
 */
import { spawnSync } from "node:child_process"

const has = (tool: string): boolean => {
  const isHere = spawnSync(tool, ["--version"]).error === undefined
  if (isHere) return true
  const message = `${tool} is missing, so its tests are skipped: apt-get install prometheus`
  if (process.env["CI"] === "true") throw new Error(message)
  console.warn(message)
  return false
}

export const hasPromtool = has("promtool")
export const hasPrometheus = has("prometheus")

/** What promtool says, and whether it was content. */
export const promtool = (
  args: ReadonlyArray<string>,
  options: { readonly input?: string; readonly cwd?: string } = {}
): { readonly isContent: boolean; readonly said: string } => {
  const { status, stderr, stdout } = spawnSync("promtool", args, { ...options, encoding: "utf8" })
  return { isContent: status === 0, said: `exit ${status}: ${stdout}${stderr}` }
}
