/**
 * Prometheus' own tools, where they are installed. Where they are not, one loud line says how to get them; continuous
 * integration must have them.
 */
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"

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

/** One sample: its name, its labels and its number. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const unescaped: Readonly<Record<string, string>> = { "\\\\": "\\", '\\"': '"', "\\n": "\n" }

/** The samples of an exposition, in either format; exemplars are left out. */
export const samplesIn = (text: string): ReadonlyArray<Sample> =>
  text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name = "", labels = "", value = ""] =
        /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_0-9]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)/.exec(line) ?? []
      const pairs = [...labels.matchAll(/([a-zA-Z_0-9]+)="((?:[^"\\]|\\.)*)"/g)].map(
        ([, label = "", quoted = ""]) =>
          [label, quoted.replace(/\\[\\"n]/g, (found) => unescaped[found] ?? found)] as const
      )
      return {
        name,
        labels: Object.fromEntries(pairs),
        value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value)
      }
    })

/** A Prometheus server that scrapes. */
export interface PrometheusServer {
  /** What an instant query gives. */
  readonly query: (query: string) => Effect.Effect<ReadonlyArray<Sample>>
  /** The exemplars of the last hour: labels of the series, and of the exemplar. */
  readonly exemplars: (query: string) => Effect.Effect<ReadonlyArray<Readonly<Record<string, string>>>>
}

const freePort = Effect.async<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Asks again until the answer will do; dies with the last one after so many tries, half a second apart. */
export const askUntil = <A>(what: string, ask: Effect.Effect<A>, willDo: (answer: A) => boolean, tries = 80) =>
  Effect.gen(function* () {
    for (let left = tries; ; left--) {
      const answer = yield* ask
      if (willDo(answer)) return answer
      if (left <= 1) return yield* Effect.dieMessage(`${what}: still ${JSON.stringify(answer)?.slice(0, 2000)}`)
      yield* Effect.sleep("500 millis")
    }
  })

/** Runs it on a port that was free just now; undefined where it ended, because another program was quicker. */
const run = (folder: string, port: number): Effect.Effect<number | undefined, never, Scope.Scope> =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(
          "prometheus",
          [
            `--config.file=${join(folder, "prometheus.yml")}`,
            `--storage.tsdb.path=${join(folder, "data")}`,
            `--web.listen-address=127.0.0.1:${port}`,
            "--enable-feature=exemplar-storage",
            "--log.level=error"
          ],
          { stdio: "ignore" }
        )
      ),
      (one) =>
        Effect.async<void>((resume) => {
          if (one.exitCode !== null) return resume(Effect.void)
          one.once("exit", () => resume(Effect.void))
          one.kill("SIGKILL")
        })
    )
    const isReady = Effect.promise(() =>
      fetch(`http://127.0.0.1:${port}/-/ready`).then(
        ({ ok }) => ok,
        () => false
      )
    )
    yield* askUntil("Prometheus is ready", isReady, (is) => is || child.exitCode !== null)
    return child.exitCode === null ? port : undefined
  })

/** Starts Prometheus in a folder of its own; it ends with the scope. It scrapes the targets (`host:port`) each second. */
export const startPrometheus = (targets: ReadonlyArray<string>): Effect.Effect<PrometheusServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "switchyard-prometheus-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const config = {
      global: { scrape_interval: "1s", scrape_timeout: "1s" },
      scrape_configs: [{ job_name: "switchyard", static_configs: [{ targets }] }]
    }
    // JSON is YAML.
    writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config))
    const port = yield* Effect.repeat(
      Effect.flatMap(freePort, (free) => run(folder, free)),
      { until: (found) => found !== undefined }
    )
    const get = (path: string) =>
      Effect.promise(async (): Promise<unknown> => {
        try {
          const response = await fetch(`http://127.0.0.1:${port}${path}`)
          const text = await response.text()
          return response.ok ? (text.startsWith("{") ? JSON.parse(text) : text) : undefined
        } catch {
          return undefined
        }
      })
    return {
      query: (query) =>
        Effect.map(get(`/api/v1/query?query=${encodeURIComponent(query)}`), (answer) => {
          const { data } = (answer ?? { data: { result: [] } }) as {
            readonly data: {
              readonly result: ReadonlyArray<{
                readonly metric: Readonly<Record<string, string>>
                readonly value: readonly [number, string]
              }>
            }
          }
          return data.result.map(({ metric: { __name__: name = "", ...labels }, value }) => ({
            name,
            labels,
            value: value[1] === "+Inf" ? Number.POSITIVE_INFINITY : Number(value[1])
          }))
        }),
      exemplars: (query) =>
        Effect.clockWith((clock) =>
          Effect.flatMap(clock.currentTimeMillis, (now) => {
            const [start, end] = [now / 1000 - 3600, now / 1000 + 60]
            return Effect.map(
              get(`/api/v1/query_exemplars?query=${encodeURIComponent(query)}&start=${start}&end=${end}`),
              (answer) => {
                const { data } = (answer ?? { data: [] }) as {
                  readonly data: ReadonlyArray<{
                    readonly seriesLabels: Readonly<Record<string, string>>
                    readonly exemplars: ReadonlyArray<{ readonly labels: Readonly<Record<string, string>> }>
                  }>
                }
                return data.flatMap(({ exemplars, seriesLabels }) =>
                  exemplars.map(({ labels }) => ({ ...seriesLabels, ...labels }))
                )
              }
            )
          })
        )
    }
  })
