/** Where a gateway's busy time goes, by whose code runs: V8's own samples of the main thread under load. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { drive, type Program, startGateway } from "./programs.js"
import { row, table } from "./tables.js"
import { busyConnections, isShort, loadOf, type Workload } from "./workloads.js"

interface Node {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string }
}

interface Profile {
  readonly nodes: ReadonlyArray<Node>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

/** Functions of the system that stand in a profile without a file. */
const system: ReadonlySet<string> = new Set(["writev", "writeBuffer", "writeUtf8String", "writeLatin1String"])

const ownerOf = ({ functionName, url }: Node["callFrame"]): string | undefined => {
  if (functionName === "(idle)") return undefined
  if (functionName === "(garbage collector)") return "garbage collection"
  if (system.has(functionName)) return "writing to sockets, in the kernel"
  if (url.includes("/node_modules/effect/")) return "Effect's runtime"
  if (url.includes("/undici/") || url.startsWith("wasm:")) return "undici"
  const own = /\/packages\/([\w-]+)\/dist\//.exec(url)?.[1]
  if (own !== undefined) return `@switchyard/${own}`
  return url.includes("/node_modules/") ? "other libraries" : "Node's http, net and streams, and V8's builtins"
}

/** Shares by owner, largest first, of the last part of its busy time, when all is warm. */
const sharesOf = ({ nodes, samples, timeDeltas }: Profile): ReadonlyArray<readonly [string, number]> => {
  const frames = new Map(nodes.map(({ callFrame, id }) => [id, callFrame]))
  const sums = new Map<string, number>()
  let all = 0
  const busy = samples.flatMap((id, at) => {
    const frame = frames.get(id)
    const owner = frame === undefined ? undefined : ownerOf(frame)
    return owner === undefined ? [] : [[owner, timeDeltas[at] ?? 0] as const]
  })
  for (const [owner, took] of busy.slice(Math.floor(busy.length * 0.6), Math.floor(busy.length * 0.97))) {
    sums.set(owner, (sums.get(owner) ?? 0) + took)
    all += took
  }
  return [...sums].map(([owner, sum]) => [owner, sum / all] as const).sort(([, a], [, b]) => b - a)
}

const largest = (folder: string): string =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".cpuprofile"))
    .map((name) => join(folder, name))
    .sort((a, b) => statSync(b).size - statSync(a).size)[0] ?? ""

const profileOf = async (driver: Program, upstream: number, workload: Workload): Promise<Profile> => {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-profile-"))
  const nodeOptions = ["--cpu-prof", "--cpu-prof-interval", "500", "--cpu-prof-dir", folder]
  // From its packages: a bundle does not tell whose code runs.
  const env = { SWITCHYARD_FROM_PACKAGES: "1" }
  const gateway = await startGateway(upstream, "gateway", { nodeOptions, env })
  await drive(driver, {
    ...loadOf({ program: gateway }, workload, busyConnections),
    requests: workload.requests * (isShort ? 6 : 3)
  })
  await gateway.end()
  const profile = JSON.parse(readFileSync(largest(folder), "utf8")) as Profile
  rmSync(folder, { recursive: true, force: true })
  return profile
}

/** A table of whose code the main thread runs, for each kind of request. */
export const profiled = async (
  driver: Program,
  upstream: number,
  workloads: ReadonlyArray<Workload>
): Promise<string> => {
  const shares: Array<ReadonlyMap<string, number>> = []
  for (const workload of workloads) shares.push(new Map(sharesOf(await profileOf(driver, upstream, workload))))
  const owners = [...new Set(shares.flatMap((some) => [...some.keys()]))]
  const sum = (owner: string): number => shares.reduce((all, some) => all + (some.get(owner) ?? 0), 0)
  owners.sort((a, b) => sum(b) - sum(a))
  return table(
    ["of the main thread's busy time", ...workloads.map(({ name }) => name)],
    owners.map((owner) => row(owner, ...shares.map((some) => `${((some.get(owner) ?? 0) * 100).toFixed(1)} %`)))
  )
}
