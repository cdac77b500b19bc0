/** The gateway on several Nodes side by side, each beside a bare proxy on the same one. */
import { nodeOf } from "../../../scripts/nodes.mjs"
import { type Program, startGateway, startScript } from "./programs.js"
import { row, table } from "./tables.js"
import { busyConnections, compete, workloads } from "./workloads.js"

const isVersion = (word: string): boolean => /^\d+(\.\d+)*$/.test(word)

/** Runs all kinds of requests through each Node's two programs, and gives a table. Versions come from the npm registry, paths are taken as they are. */
export const onNodes = async (driver: Program, upstream: number, others: ReadonlyArray<string>): Promise<string> => {
  const nodes = [
    { name: process.version.slice(1), path: process.execPath },
    ...others.map((word) => ({ name: word, path: isVersion(word) ? nodeOf(word) : word }))
  ]
  const programs: Array<Program> = []
  for (const { name, path } of nodes) {
    programs.push(await startScript("bare.ts", [`http://127.0.0.1:${upstream}`], [], path))
    programs.push(await startGateway(upstream, `Node ${name}`, { node: path }))
  }
  const rows: Array<string> = []
  for (const workload of workloads) {
    const figures = await compete(
      driver,
      programs.map((program) => ({ program })),
      workload,
      busyConnections
    )
    for (const [at, { name }] of nodes.entries()) {
      const bare = figures[2 * at]
      const own = figures[2 * at + 1]
      if (bare === undefined || own === undefined) continue
      const cells = [bare.cpu.toFixed(0), own.cpu.toFixed(0), (own.cpu / bare.cpu).toFixed(2)]
      rows.push(row(at === 0 ? workload.name : "", name, ...cells, own.perSecond.toFixed(0), own.p50.toFixed(2)))
    }
  }
  for (const { stop } of programs) stop()
  const heads = ["request", "Node", "CPU µs: bare", "Switchyard", "of bare", "requests a second", "p50 ms"]
  return table(heads, rows)
}
