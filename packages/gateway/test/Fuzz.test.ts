/**
 * Ten thousand requests that went wrong. Each gets an answer that makes sense, and afterwards nothing is left of them.
 */
import { Agent, request as httpRequest } from "node:http"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import type { Gateway } from "@switchyard/gateway/Gateway"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, type Scope } from "effect"
import { type Answer, errorIn, holdsNothing, isSound, start } from "./support/gateways.js"
import { type Mutated, mutated, mutatedMessage } from "./support/mutations.js"
import { connectTo, parseResponses } from "./support/rawHttp.js"
import { Dice, seedFrom } from "./support/seeded.js"

const total = 10_000
const concurrency = 16
/** One in so many goes over a bare socket. */
const rawShare = 5

/** What no request may take, in ms: the deadline below, and much more for a busy machine. */
const patience = 15_000

const collectGarbage = (): void => {
  setFlagsFromString("--expose-gc")
  runInNewContext("gc")()
}

const heap = (): number => {
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().heapUsed
}

const statuses = new Set([400, 401, 403, 404, 405, 408, 413, 415, 417, 429, 431, 501, 502, 503, 504])

/** Throws when an answer makes no sense. */
const judge = ({ headers, status, text }: Answer): void => {
  if (status < 200) return
  if (status === 200) {
    const type = String(headers["content-type"])
    // The dashboard, which a mutated path may hit.
    if (type.startsWith("text/html")) return
    if (!type.startsWith("text/event-stream")) JSON.parse(text)
    else if (!text.endsWith("data: [DONE]\n\n")) errorIn(text.slice(text.lastIndexOf("data: ") + 6))
    return
  }
  if (!statuses.has(status)) throw new Error(`status ${status}`)
  if (errorIn(text).code === "internal_error") throw new Error("a defect")
}

const send = (gateway: Gateway, agent: Agent, { body, headers, path }: Mutated): Effect.Effect<Answer> =>
  Effect.async<Answer>((resume) => {
    const outgoing = httpRequest(
      {
        host: "127.0.0.1",
        port: gateway.port,
        path,
        method: "POST",
        agent,
        headers: { ...headers, "content-length": body.length },
        timeout: patience
      },
      (response) => {
        const parts: Array<Buffer> = []
        response.on("data", (part: Buffer) => parts.push(part))
        response.on("error", (error) => resume(Effect.die(error)))
        response.on("end", () => {
          const answer = { status: response.statusCode ?? 0, headers: response.headers as Record<string, string> }
          resume(Effect.succeed({ ...answer, text: Buffer.concat(parts).toString() }))
        })
      }
    )
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer within ${patience} ms`)))
    outgoing.on("error", (error) => resume(Effect.die(error)))
    outgoing.end(body)
  })

/** Sends a message by hand. A client that leaves at once gets what it gets; one that waits must be answered or let go. */
const sendRaw = (gateway: Gateway, message: Buffer, leaves: boolean): Effect.Effect<ReadonlyArray<Answer>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* connectTo(gateway)
      client.send(message)
      if (leaves) client.socket.end()
      const isOver = Effect.race(
        client.closed,
        client.until((text) => /^HTTP\/1\.1 [2-5]/m.test(text))
      )
      yield* isOver.pipe(
        Effect.timeoutOption(patience),
        Effect.flatMap((over) =>
          over._tag === "Some" ? Effect.void : Effect.dieMessage("neither an answer nor an end")
        )
      )
      client.socket.end()
      yield* client.closed
      const bytes = client.received()
      // An answer to HEAD tells a length and has no body.
      if (message.toString("latin1", 0, 5) === "HEAD ") return []
      const { answers, rest } = parseResponses(bytes)
      if (rest.length > 0 && !rest.toString("latin1", 0, 9).startsWith("HTTP/1.1 ")) {
        throw new Error(`no HTTP: ${rest.toString("latin1", 0, 200)}`)
      }
      return answers
    })
  )

const run = (use: (gateway: Gateway) => Effect.Effect<void, never, Scope.Scope>) =>
  Effect.gen(function* () {
    const upstream = yield* FakeProvider.make({ name: "one", journalLimit: 10 })
    const gateway = yield* start([upstream], {
      // A caller with the master key may ask for day-long cooldowns and a hundred retries, and chance does.
      cooldown: false,
      retry: { attempts: 2, baseDelay: 1, maxDelay: 2 },
      deadline: { deadline: "2 seconds" },
      server: { requestTimeout: "1 second", headersTimeout: "1 second", maxBodyBytes: 1_000_000 }
    })
    yield* use(gateway)
    yield* isSound(gateway)
    assert.strictEqual(upstream.inFlight(), 0)
  })

describe("fuzz", () => {
  it.scopedLive(
    "10,000 mutated requests: each is answered in OpenAI's shape, and nothing is left of them",
    () =>
      run((gateway) =>
        Effect.gen(function* () {
          const seed = seedFrom("FUZZ_SEED")
          console.log(`fuzz: FUZZ_SEED=${seed}`)
          const agent = new Agent({ keepAlive: true, maxSockets: concurrency })
          yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
          const counts = new Map<number, number>()
          const problems: Array<string> = []
          const one = (number: number): Effect.Effect<void> => {
            const dice = new Dice(seed + number)
            const isRaw = number % rawShare === 0
            const mutation = isRaw ? mutatedMessage(dice) : mutated(dice)
            const answers = Buffer.isBuffer(mutation)
              ? sendRaw(gateway, mutation, dice.below(50) !== 0)
              : Effect.map(send(gateway, agent, mutation), (answer) => [answer])
            return Effect.flatMap(answers, (all) =>
              Effect.sync(() => {
                for (const answer of all) {
                  counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1)
                  judge(answer)
                }
              })
            ).pipe(
              Effect.catchAllDefect((defect) =>
                Effect.sync(() => {
                  const sent = Buffer.isBuffer(mutation) ? mutation : mutation.body
                  problems.push(`#${number}: ${String(defect)} after ${sent.toString("latin1").slice(0, 300)}`)
                })
              )
            )
          }
          const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)
          const all = (from: number, to: number) =>
            Effect.forEach(numbers(from, to), one, { concurrency, discard: true })
          yield* all(0, total / 5)
          yield* holdsNothing(gateway)
          const before = heap()
          yield* all(total / 5, total)
          yield* holdsNothing(gateway)
          const growth = heap() - before
          console.log(`fuzz: ${JSON.stringify(Object.fromEntries(counts))}, heap ${Math.round(growth / 1024)} KiB`)
          assert.deepStrictEqual(problems.slice(0, 5), [], `${problems.length} problems`)
          for (const status of [200, 400, 401, 404, 415, 431])
            assert.isAbove(counts.get(status) ?? 0, 0, `no ${status}`)
          assert.isBelow(growth, 10 * 1024 * 1024, "the heap grew")
          assert.deepStrictEqual(Object.keys(Object.prototype), [])
          assert.isUndefined(({} as { readonly polluted?: unknown }).polluted)
        })
      ),
    120_000
  )
})
