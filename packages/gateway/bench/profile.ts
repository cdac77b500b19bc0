/**
 * Where the CPU of a request goes, by whose code runs, beside the same for the bare proxy: V8's own samples of the main thread under load
 * say the shares, and the kernel's account of that thread says how many µs all of it is.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { cpuOf, cpuOfMain, drive, type Program, startGateway, startScript } from "./programs.js"
import { row, table } from "./tables.js"
import { busyConnections, isShort, loadOf, type Workload } from "./workloads.js"

interface Frame {
  readonly functionName: string
  readonly url: string
}

interface Profile {
  readonly nodes: ReadonlyArray<{ readonly id: number; readonly callFrame: Frame }>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
  /** µs of the clock that `process.hrtime` reads. */
  readonly startTime: number
}

/** Functions of the system that stand in a profile without a file. */
const system: ReadonlySet<string> = new Set(["writev", "writeBuffer", "writeUtf8String", "writeLatin1String"])

const otherThreads = "other threads: garbage, the ledger's file, V8's compiler"

const ownerOf = ({ functionName, url }: Frame): string => {
  if (functionName === "(garbage collector)") return "garbage collection, main thread"
  if (system.has(functionName)) return "writing to sockets, in the kernel"
  if (url.includes("/node_modules/effect/")) return "Effect's runtime"
  if (url.includes("/undici/") || url.startsWith("wasm:")) return "undici"
  const own = /\/packages\/([\w-]+)\/dist\//.exec(url)?.[1]
  if (own !== undefined) return `@switchyard/${own}`
  if (url.includes("/gateway/bench/")) return "the bare proxy's own lines"
  return url.includes("/node_modules/") ? "other libraries" : "Node's http, net and streams, and V8's builtins"
}

/** A folder of a package of ours, which is a concern or a few of one kind. */
const moduleOf = ({ url }: Frame): string | undefined => {
  const found = /\/packages\/([\w-]+)\/dist\/(?:(.+)\/)?[\w.-]+$/.exec(url)
  return found === null ? undefined : `${found[1]}/${found[2] ?? ""}`.replace(/\/$/, "")
}

/** Where one program spends the µs of one kind of request. */
interface Spent {
  readonly all: number
  readonly owners: ReadonlyMap<string, number>
  readonly modules: ReadonlyMap<string, number>
}

const largest = (folder: string): string =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".cpuprofile"))
    .map((name) => join(folder, name))
    .sort((a, b) => statSync(b).size - statSync(a).size)[0] ?? ""

const monotonic = (): number => Number(process.hrtime.bigint() / 1000n)

/** Sums what was sampled within the window, in µs a request. */
const spentIn = (
  { nodes, samples, startTime, timeDeltas }: Profile,
  window: { readonly from: number; readonly to: number; readonly main: number; readonly all: number }
): Spent => {
  const frames = new Map(nodes.map(({ callFrame, id }) => [id, callFrame]))
  const owners = new Map<string, number>()
  const modules = new Map<string, number>()
  const add = (sums: Map<string, number>, name: string, took: number) => sums.set(name, (sums.get(name) ?? 0) + took)
  let busy = 0
  let at = startTime
  samples.forEach((id, index) => {
    const took = timeDeltas[index] ?? 0
    at += took
    const frame = frames.get(id)
    if (frame === undefined || frame.functionName === "(idle)" || at < window.from || at > window.to) return
    busy += took
    add(owners, ownerOf(frame), took)
    const module = moduleOf(frame)
    if (module !== undefined) add(modules, module, took)
  })
  const perSample = window.main / busy
  const scaled = (sums: Map<string, number>) => new Map([...sums].map(([name, took]) => [name, took * perSample]))
  return {
    all: window.all,
    owners: scaled(owners).set(otherThreads, window.all - window.main),
    modules: scaled(modules)
  }
}

const profileOf = async (
  driver: Program,
  start: (nodeOptions: ReadonlyArray<string>) => Promise<Program>,
  workload: Workload
): Promise<Spent> => {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-profile-"))
  const program = await start(["--cpu-prof", "--cpu-prof-interval", "500", "--cpu-prof-dir", folder])
  const load = loadOf({ program }, workload, busyConnections)
  const requests = workload.requests * (isShort ? 4 : 3)
  await drive(driver, { ...load, requests })
  const before = { from: monotonic(), main: cpuOfMain(program), all: cpuOf(program) }
  await drive(driver, { ...load, requests })
  const window = {
    from: before.from,
    to: monotonic(),
    main: (cpuOfMain(program) - before.main) / requests,
    all: (cpuOf(program) - before.all) / requests
  }
  await program.end()
  const profile = JSON.parse(readFileSync(largest(folder), "utf8")) as Profile
  rmSync(folder, { recursive: true, force: true })
  return spentIn(profile, window)
}

/** Names of all, the one that costs most in the gateway first. */
const ordered = (spent: ReadonlyArray<ReadonlyMap<string, number>>): ReadonlyArray<string> => {
  const sum = (name: string): number => spent.reduce((all, some) => all + (some.get(name) ?? 0), 0)
  return [...new Set(spent.flatMap((some) => [...some.keys()]))].sort((a, b) => sum(b) - sum(a))
}

const µs = (value: number | undefined): string => (value ?? 0).toFixed(1)

/** Folders of less are left out of the table: they are noise. */
const leastShown = 0.5

/** Whose code a request runs in the gateway and in the bare proxy, and in which folders of ours, in CPU µs. */
export const profiled = async (
  driver: Program,
  upstream: number,
  workloads: ReadonlyArray<Workload>
): Promise<{ readonly owners: string; readonly modules: string }> => {
  // From its packages: a bundle does not tell whose code runs.
  const env = { SWITCHYARD_FROM_PACKAGES: "1" }
  const found: Array<readonly [bare: Spent, own: Spent]> = []
  for (const workload of workloads) {
    found.push([
      await profileOf(driver, (more) => startScript("bare.ts", [`http://127.0.0.1:${upstream}`], more), workload),
      await profileOf(driver, (nodeOptions) => startGateway(upstream, "gateway", { nodeOptions, env }), workload)
    ])
  }
  const own = found.map(([, gateway]) => gateway)
  const heads = workloads.flatMap(({ name }) => [`${name}: bare`, "Switchyard"])
  const both = found.flat()
  const owners = table(
    ["CPU µs a request", ...heads],
    [
      row("all", ...both.map(({ all }) => µs(all))),
      ...ordered(found.flat().map(({ owners }) => owners)).map((name) =>
        row(name, ...both.map(({ owners }) => µs(owners.get(name))))
      )
    ]
  )
  const modules = table(
    ["folder", ...workloads.map(({ name }) => name)],
    ordered(own.map(({ modules }) => modules))
      .filter((name) => own.some(({ modules }) => (modules.get(name) ?? 0) >= leastShown))
      .map((name) => row(name, ...own.map(({ modules }) => µs(modules.get(name)))))
  )
  return { owners, modules }
}
