/**
 * What a request costs the gateway, as users run it: default settings, the log on and read through a pipe, the load from a process
 * of its own. CPU against a bare proxy in the same run, in rounds that alternate, at as many connections as keep one process
 * busy; latency at one connection; the start, memory, and Effect operations. CPU time and not throughput is what to trust, because
 * all programs share the machine. The gateway is the command as it is installed, so it has to be built. Needs Linux's /proc. Exits 0 however the figures come out.
 *
 * `-- --write` puts the tables into docs/performance.md, `--explain` tells what each concern costs by leaving it out, `--profile` whose code runs,
 * `--nodes 22,24` what it costs on other Nodes beside this one (majors come from the npm registry, paths are taken as they are);
 * `--against PATH` runs another checkout's command beside this one's.
 * BENCH_SHORT=1 is CI's form.
 */
import { explain } from "./explain.js"
import { onNodes } from "./nodes.js"
import * as Operations from "./operations.js"
import { profiled } from "./profile.js"
import { drive, median, memoryOf, type Program, startGateway, startScript, type Variant } from "./programs.js"
import { intoDocument, row, table } from "./tables.js"
import { busyConnections, compete, type Figures, isShort, loadOf, type Rival, rounds, workloads } from "./workloads.js"

const valueOf = (option: string): string | undefined => {
  const at = process.argv.indexOf(option)
  return at === -1 ? undefined : process.argv[at + 1]
}

const isWriting = process.argv.includes("--write")

/** Gateways that take part beside the bare proxy. */
const variants = (): ReadonlyArray<readonly [string, Variant]> => {
  const other = valueOf("--against")
  return [
    ["Switchyard", {}],
    ["without the ledger", { settings: { ledger: false } }],
    ["without the log", { settings: { log: { format: "off" } } }],
    ...(other === undefined ? [] : [[other, { bin: other }] as const])
  ]
}

const ratios = (own: Figures, bare: Figures): ReadonlyArray<number> =>
  own.all.map((cpu, round) => cpu / (bare.all[round] ?? Number.NaN))

const spread = (values: ReadonlyArray<number>): string =>
  `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})`

/** Chunks a second of one stream: as fast as models write. */
const chunksASecond = 50

/** What one core serves with nothing else to do, of each kind alone. */
const sizing = (own: ReadonlyArray<Figures>, bare: ReadonlyArray<Figures>): string => {
  const cells = (figures: ReadonlyArray<Figures>): ReadonlyArray<string> => {
    const [chat = Number.NaN, stream = Number.NaN, long = Number.NaN] = figures.map(({ cpu }) => cpu)
    const open = 1e6 / (chunksASecond * Math.max(0.1, (stream - chat) / 100))
    return [1e6 / chat, 1e6 / stream, open, 1e6 / long].map((value) => value.toFixed(0))
  }
  return table(
    [
      "one core",
      "chats a second",
      "streams of 100 chunks begun a second",
      "streams held open, 50 chunks a second each",
      "prompts of 64 KiB a second"
    ],
    [row("bare proxy", ...cells(bare)), row("Switchyard", ...cells(own))]
  )
}

const busy = async (driver: Program, bare: Program, gateways: ReadonlyArray<Program>) => {
  const rows: Array<string> = []
  const found: { readonly own: Array<Figures>; readonly bare: Array<Figures> } = { own: [], bare: [] }
  for (const workload of workloads) {
    const rivals: ReadonlyArray<Rival> = [bare, ...gateways].map((program) => ({ program }))
    const [first, ...others] = await compete(driver, rivals, workload, busyConnections)
    if (first === undefined) continue
    found.bare.push(first)
    if (others[0] !== undefined) found.own.push(others[0])
    rows.push(
      row(workload.name, "bare proxy", first.cpu.toFixed(0), "1", "", first.perSecond.toFixed(0), first.p50.toFixed(2))
    )
    others.forEach((own, index) => {
      const goal = index === 0 ? `≤ ${workload.goal}` : ""
      const ratio = spread(ratios(own, first))
      const name = gateways[index]?.name ?? ""
      rows.push(row("", name, own.cpu.toFixed(0), ratio, goal, own.perSecond.toFixed(0), own.p50.toFixed(2)))
    })
  }
  const load = table(
    ["request", "program", "CPU µs", "of bare, median (min–max)", "goal", "requests a second", "p50 ms"],
    rows
  )
  return { load, sizes: sizing(found.own, found.bare) }
}

const alone = async (driver: Program, programs: ReadonlyArray<Program>): Promise<string> => {
  const [chat, stream] = workloads
  const rows: Array<string> = []
  for (const workload of [chat, stream]) {
    if (workload === undefined) continue
    const few = { ...workload, requests: Math.ceil(workload.requests / (isShort ? 5 : 3)) }
    const figures = await compete(
      driver,
      programs.map((program) => ({ program })),
      few,
      1
    )
    const bare = figures[1]
    figures.forEach((own, index) => {
      const name = ["the upstream itself", "bare proxy"][index] ?? programs[index]?.name ?? ""
      const more = (value: number, base: number | undefined): string =>
        index < 2 || base === undefined ? "" : (value - base).toFixed(2)
      rows.push(
        row(
          index === 0 ? workload.name : "",
          name,
          own.p50.toFixed(2),
          own.p99.toFixed(2),
          own.firstP50.toFixed(2),
          more(own.p50, bare?.p50),
          more(own.p99, bare?.p99)
        )
      )
    })
  }
  return table(
    ["request", "program", "p50 ms", "p99 ms", "first byte p50 ms", "added p50 (goal ≤ 0.2)", "added p99 (goal ≤ 0.5)"],
    rows
  )
}

const startUp = async (upstream: number): Promise<number> => {
  const times: Array<number> = []
  for (let turn = 0; turn < (isShort ? 1 : 5); turn++) {
    const gateway = await startGateway(upstream, "gateway")
    times.push(gateway.startedIn)
    gateway.stop()
  }
  return median(times)
}

const grown = async (driver: Program, upstream: number): Promise<string> => {
  const gateway = await startGateway(upstream, "gateway")
  const idle = memoryOf(gateway)
  const [chat] = workloads
  const requests = isShort ? 5_000 : 200_000
  // In one go: rounds of 200,000 that only warm it would be three more of them.
  if (chat !== undefined) await drive(driver, loadOf({ program: gateway }, { ...chat, requests }, busyConnections))
  const after = memoryOf(gateway)
  gateway.stop()
  return table(
    ["what", "measured", "goal"],
    [
      row("resident memory, idle", `${idle.toFixed(0)} MiB`, ""),
      row(`resident memory after ${requests.toLocaleString("en")} chats`, `${after.toFixed(0)} MiB`, "≤ 160 MiB"),
      row("from start to listening", `${(await startUp(upstream)).toFixed(0)} ms`, "≤ 400 ms")
    ]
  )
}

const upstream = await startScript("upstream.ts")
const driver = await startScript("driver.ts")
const bare = await startScript("bare.ts", [`http://127.0.0.1:${upstream.port}`])
const nodes = valueOf("--nodes")?.split(",")

if (process.argv.includes("--profile")) {
  const { modules, owners } = await profiled(driver, upstream.port, workloads)
  console.log(`${owners}\n\n${modules}`)
  if (isWriting) intoDocument("profile", owners)
  if (isWriting) intoDocument("modules", modules)
} else if (process.argv.includes("--explain")) {
  const text = await explain(driver, upstream.port)
  if (isWriting) intoDocument("explain", text)
} else if (nodes !== undefined) {
  const text = await onNodes(driver, upstream.port, nodes)
  console.log(text)
  if (isWriting) intoDocument("nodes", text)
} else {
  const gateways: Array<Program> = []
  for (const [name, variant] of variants()) gateways.push(await startGateway(upstream.port, name, variant))
  console.log(
    `CPU µs a request at ${busyConnections} connections, ${rounds} rounds that alternate, Node ${process.version}\n`
  )
  const { load, sizes } = await busy(driver, bare, gateways)
  console.log(`${load}\n\n${sizes}\n\nLatency at one connection\n`)
  const single = await alone(driver, [upstream, bare, ...gateways])
  for (const { stop } of gateways) stop()
  console.log(`${single}\n`)
  const rest = await grown(driver, upstream.port)
  console.log(`${rest}\n`)
  await Operations.run()
  if (isWriting) {
    intoDocument("busy", load)
    intoDocument("sizing", sizes)
    intoDocument("alone", single)
    intoDocument("rest", rest)
  }
}
for (const { stop } of [bare, driver, upstream]) stop()
process.exit(0)
