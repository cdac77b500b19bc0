/** Gateways of several processes, before one upstream. */
import { Agent, type OutgoingHttpHeaders, request } from "node:http"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, type Scope } from "effect"
import { file, start } from "../support/process.js"

/** What is printed once it listens. */
export const listens = /switchyard listens on (http:\/\/127\.0\.0\.1:\d+) /

export const masterKey = "sk-master-of-workers-1"

/** What came of a request: its status, or why there was none. */
export type Came = number | string

/** What came of a request, with what was answered. */
export interface Answer {
  readonly came: Came
  readonly text: string
  /** As the answer names it. */
  readonly id?: string
  /** The cookie that was given, as it is sent back. */
  readonly cookie?: string
}

/** A connection, which stays with the worker that took it. */
export interface Connection {
  /** The worker's process. */
  readonly pid: number
  /** Asks by it; an empty key sends none. */
  readonly ask: (path: string, body?: object, key?: string, headers?: OutgoingHttpHeaders) => Effect.Effect<Answer>
}

/** Asks by connections of an agent's own. */
const asker = (url: string, connections: number, isKept: boolean) => {
  const agent = new Agent({ keepAlive: isKept, maxSockets: connections })
  const ask = (path: string, body?: object, key = masterKey, headers: OutgoingHttpHeaders = {}): Promise<Answer> =>
    new Promise((resolve) => {
      const sent = request(
        `${url}${path}`,
        {
          agent,
          method: body === undefined ? "GET" : "POST",
          headers: {
            "content-type": "application/json",
            ...(key === "" ? {} : { authorization: `Bearer ${key}` }),
            ...headers
          }
        },
        (response) => {
          let text = ""
          response.setEncoding("utf8")
          response.on("data", (piece: string) => {
            text += piece
          })
          response.on("end", () => {
            const id = response.headers["x-request-id"]
            const cookie = response.headers["set-cookie"]?.[0]?.split(";")[0]
            const named = typeof id === "string" ? { id } : {}
            resolve({ came: response.statusCode ?? 0, text, ...named, ...(cookie === undefined ? {} : { cookie }) })
          })
          response.on("error", (error: NodeJS.ErrnoException) => resolve({ came: error.code ?? "error", text }))
        }
      )
      sent.on("error", (error: NodeJS.ErrnoException) => resolve({ came: error.code ?? "error", text: "" }))
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })
  return { ask, close: () => agent.destroy() }
}

const chat = { model: "smart", messages: [{ role: "user", content: "Hi there" }] }

/** So many requests at once, over and over until `isOver`; each one's end. */
export const load = (url: string, atOnce: number, isOver: () => boolean, isKept = true) =>
  Effect.promise(async () => {
    const { ask, close } = asker(url, atOnce, isKept)
    const came: Array<Came> = []
    const one = async () => {
      while (!isOver()) came.push((await ask("/v1/chat/completions", chat)).came)
    }
    await Promise.all(Array.from({ length: atOnce }, one))
    close()
    return came
  })

/** So many callers that ask one request after the other until `isOver`, each by a connection of its own; what came of each one's. */
export const loadBy = (
  url: string,
  callers: number,
  key: string,
  isOver: () => boolean,
  told: (answer: Answer) => void = () => {}
) =>
  Effect.promise(() =>
    Promise.all(
      Array.from({ length: callers }, async () => {
        const { ask, close } = asker(url, 1, true)
        const came: Array<Answer> = []
        while (!isOver()) {
          const one = await ask("/v1/chat/completions", chat, key)
          came.push(one)
          told(one)
          if (one.came !== 200) await new Promise((resolve) => setTimeout(resolve, 20))
        }
        close()
        return came
      })
    )
  )

/** So many requests at once, each by a connection of its own, with what was answered. */
export const answers = (
  url: string,
  count: number,
  model = "smart",
  key = masterKey
): Effect.Effect<ReadonlyArray<Answer>> =>
  Effect.promise(async () => {
    const { ask, close } = asker(url, count, false)
    const came = await Promise.all(
      Array.from({ length: count }, () => ask("/v1/chat/completions", { ...chat, model }, key))
    )
    close()
    return came
  })

/** What came of so many requests at once, each by a connection of its own. */
export const burst = (url: string, count: number, model?: string, key?: string) =>
  Effect.map(answers(url, count, model, key), (all) => all.map(({ came }) => came))

/** How often each came. */
export const counted = (came: ReadonlyArray<Came>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const one of came) counts[one] = (counts[one] ?? 0) + 1
  return counts
}

export const get = (url: string, path: string) =>
  Effect.promise(async () => {
    const { ask, close } = asker(url, 1, false)
    const answer = await ask(path)
    close()
    return answer
  })

/** A connection to each of these workers, kept until the scope closes. */
export const connectionsTo = (
  url: string,
  pids: ReadonlyArray<number>
): Effect.Effect<ReadonlyArray<Connection>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const found = new Map<number, Connection>()
    while (!pids.every((pid) => found.has(pid))) {
      const { ask, close } = yield* Effect.acquireRelease(
        Effect.sync(() => asker(url, 1, true)),
        ({ close }) => Effect.sync(close)
      )
      const { text } = yield* Effect.promise(() => ask("/admin/fleet"))
      const { replicas } = JSON.parse(text) as {
        readonly replicas: ReadonlyArray<{ readonly isThis: boolean; readonly pid: number }>
      }
      const pid = replicas.find(({ isThis }) => isThis)?.pid ?? 0
      if (found.has(pid)) close()
      else found.set(pid, { pid, ask: (...asked) => Effect.promise(() => ask(...asked)) })
    }
    return pids.flatMap((pid) => found.get(pid) ?? [])
  })

/** A gateway of several processes, once all of them serve. `more` are lines of its file. */
export const workers = (
  count: number,
  {
    breakers = "cooldown: false",
    env = {},
    more = () => "",
    top = "ledger: false"
  }: {
    readonly breakers?: string
    readonly env?: Readonly<Record<string, string>>
    readonly more?: (base: string) => string
    readonly top?: string
  } = {}
) =>
  Effect.gen(function* () {
    const upstream = yield* FakeProvider.make({ name: "east" })
    const base = JSON.stringify(upstream.url)
    const text = `server: { port: 0, drainTimeout: 5 seconds }
masterKey: ${masterKey}
retry: false
${breakers}
${top}
deployments:
  - { id: east, group: smart, model: m, baseUrl: ${base}, apiKey: sk-upstream-1, inputPrice: 1000, outputPrice: 1000 }
${more(base)}
`
    const config = yield* file("c.yaml", text)
    const running = yield* start(["serve", "--config", config, "--workers", String(count)], env)
    const [, url = ""] = yield* running.until(listens)
    const pids: Array<number> = []
    for (let index = 0; index < count; index++) {
      const [, pid] = yield* running.until(new RegExp(`"event":"worker_ready","worker":${index},"pid":(\\d+)`))
      pids.push(Number(pid))
    }
    return { ...running, url, upstream, config, text, pids }
  })

/** Whether a process runs. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

export const until = (isSo: () => boolean) =>
  Effect.repeat(Effect.sleep(20), { until: () => isSo() }).pipe(
    Effect.timeoutFail({ duration: "60 seconds", onTimeout: () => new Error("it did not come to that") }),
    Effect.orDie
  )

/** Lines of a log by their event. */
export const linesOf = (text: string, event: string) =>
  text
    .split("\n")
    .filter((line) => line.includes(`"event":"${event}"`))
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
