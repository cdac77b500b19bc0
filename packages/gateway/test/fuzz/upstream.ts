/**
 * Fuzzes what upstreams answer: whatever the bytes are and however they are cut, a caller gets all that the answer says, or an
 * error that says so.
 */
import { Agent, request as httpRequest } from "node:http"
import { FastCheck as fc } from "effect"
import { authorized, messages } from "../support/gateways.js"
import { eventsIn, type RawAnswer, readAnswer, type Said, saidWhole, verdictOnStream, writeAnswer } from "./answers.js"
import { type AnswerStep, mutateAnswer, withLineEnds } from "./mutateEvents.js"
import { type Running, run } from "./running.js"
import { cuts, pieces, step } from "./steps.js"
import { corpusOf, type Target, Violation } from "./target.js"

/** What is asked, and how the answer comes. */
interface Circumstances {
  readonly asks: "stream" | "stream with usage" | "whole"
  readonly end: "whole" | "broken"
  readonly cuts: ReadonlyArray<number>
  readonly pace: number
}

/** `bytes`: the whole response, head included. */
interface Case extends Circumstances {
  readonly base64: string
  /** Nothing was done that changes what the answer says, and it is whole. */
  readonly mustSucceed: boolean
}

const plainly: Circumstances = { asks: "stream", end: "whole", cuts: [], pace: 1 }

/** What a caller got. */
interface Got {
  readonly kind: "whole" | "error" | "in-band"
  readonly said: Said
  readonly detail: string
}

interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  readonly isComplete: boolean
}

const patience = 8_000

const isEventStream = ({ headers }: RawAnswer): boolean =>
  headers["content-type"]?.startsWith("text/event-stream") === true

const reasonIn = (text: string): string => {
  const { error } = JSON.parse(text) as {
    readonly error?: { readonly code?: unknown; readonly message?: unknown; readonly reason?: unknown }
  }
  if (typeof error?.code !== "string" || typeof error.message !== "string" || error.message === "") {
    throw new Violation("an error of another shape", text)
  }
  if (error.code === "internal_error" || error.code === "defect") throw new Violation("an internal error", text)
  return `${error.code} ${String(error.reason)}`
}

const errorIn = (data: string): string | undefined => (data.startsWith('{"error":') ? reasonIn(data) : undefined)

/** Reads what a caller got; throws where it is no answer at all. */
const read = ({ asks }: Circumstances, { headers, isComplete, status, text }: Response): Got => {
  if (!isComplete) throw new Violation("a cut without a word", `${status} ${text.slice(-300)}`)
  if (status !== 200) {
    if (status === 500) throw new Violation("an internal error", text)
    return { kind: "error", said: {}, detail: `${status} ${reasonIn(text)}` }
  }
  for (const name of ["x-switchyard-cost-usd", "x-switchyard-overhead-ms"]) {
    if (headers[name] !== undefined && !Number.isFinite(Number(headers[name]))) {
      throw new Violation("a header is no number", `${name}: ${String(headers[name])}`)
    }
  }
  if (asks === "whole") return { kind: "whole", said: saidWhole(JSON.parse(text)), detail: "" }
  const events = eventsIn(text)
  const last = events.at(-1)?.data ?? ""
  const error = errorIn(last)
  const { said } = verdictOnStream(text, true)
  if (error !== undefined) return { kind: "in-band", said, detail: error }
  if (last !== "[DONE]" || !text.endsWith("\n\n")) throw new Violation("a stream without an end", text.slice(-300))
  for (const { data } of events)
    if (data !== "[DONE]" && !isObjectText(data)) throw new Violation("an event is no JSON", data)
  if (asks === "stream with usage") {
    const usages = events.flatMap(({ data }) =>
      data === "[DONE]" ? [] : [(JSON.parse(data) as { usage?: unknown }).usage]
    )
    if (usages.every((usage) => usage === undefined || usage === null))
      throw new Violation("no usage", text.slice(-300))
  }
  return { kind: "whole", said, detail: "" }
}

const isObjectText = (data: string): boolean => {
  try {
    return typeof JSON.parse(data) === "object"
  } catch {
    return false
  }
}

/** What the answer says, and whether it may be taken for whole. */
const expected = ({ end }: Circumstances, answer: RawAnswer): { readonly mayEnd: boolean; readonly said: Said } => {
  const text = answer.body.toString("utf8")
  const isObject = /^\ufeff?\s*\{/.test(text)
  if (!isObject) {
    const { isWhole, said } = verdictOnStream(text, end === "whole")
    return { mayEnd: isWhole, said }
  }
  if (end === "broken" || !isObjectText(text.replace(/^\ufeff/, ""))) return { mayEnd: false, said: {} }
  return { mayEnd: true, said: saidWhole(JSON.parse(text.replace(/^\ufeff/, ""))) }
}

const isPrefix = (part: Said, whole: Said): boolean =>
  Object.entries(part).every(([where, text]) => whole[where]?.startsWith(text) === true)

const sorted = (said: Said): string => JSON.stringify(Object.entries(said).sort(([a], [b]) => (a < b ? -1 : 1)))

/** A whole answer holds each call's arguments in one piece, wherever the pieces stood in a stream. */
const inAnyOrder = (said: Said): string =>
  sorted(
    Object.fromEntries(
      Object.entries(said).map(([where, text]) => [
        where,
        where.endsWith("arguments") ? [...text].sort().join("") : text
      ])
    )
  )

const ask = (running: Running, agent: Agent, { asks }: Circumstances): Promise<Response> =>
  new Promise((resolve, reject) => {
    const body = JSON.stringify({
      model: "smart",
      messages,
      ...(asks === "whole" ? {} : { stream: true }),
      ...(asks === "stream with usage" ? { stream_options: { include_usage: true } } : {})
    })
    const outgoing = httpRequest(
      {
        host: "127.0.0.1",
        port: running.gateway.port,
        path: "/v1/chat/completions",
        method: "POST",
        agent,
        headers: { "content-type": "application/json", ...authorized, "content-length": Buffer.byteLength(body) }
      },
      (response) => {
        const parts: Array<Buffer> = []
        const end = (): void =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(parts).toString(),
            isComplete: response.complete
          })
        response.on("data", (part: Buffer) => parts.push(part))
        response.on("error", end)
        response.on("end", end)
        response.on("close", end)
      }
    )
    const timer = setTimeout(() => outgoing.destroy(new Violation("no answer in time", `${patience} ms`)), patience)
    outgoing.on("close", () => clearTimeout(timer))
    outgoing.on("error", (error) =>
      reject(error instanceof Violation ? error : new Violation("no HTTP answer", String(error)))
    )
    outgoing.end(body)
  })

const answerStep: fc.Arbitrary<AnswerStep> = fc.record({
  how: fc.constantFrom("structure", "structure", "structure", "bytes", "harmless"),
  step
})
const harmlessStep: fc.Arbitrary<AnswerStep> = fc.record({ how: fc.constant("harmless"), step })

/** Largest answer that is also sent byte by byte. */
const maxEach = 3_000

export const make = async (): Promise<Target<Case>> => {
  const running = await run({ timeouts: { firstToken: "6 seconds", idle: "6 seconds" } })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const corpus = corpusOf("upstream")

  const build = (
    index: number,
    steps: ReadonlyArray<AnswerStep>,
    lineEnds: number,
    circumstances: Circumstances
  ): Case => {
    const { bytes, file } = corpus[index % corpus.length] ?? corpus[0]
    const answer = readAnswer(bytes)
    const isStream = isEventStream(answer)
    const isHarmless = steps.every(({ how }) => how === "harmless")
    const changed = mutateAnswer(answer.body, isStream, steps)
    const body = isStream && isHarmless ? Buffer.from(withLineEnds(changed.toString(), lineEnds)) : changed
    return {
      ...circumstances,
      mustSucceed: isHarmless && circumstances.end === "whole" && file.includes(".whole."),
      base64: writeAnswer({ ...answer, body }).toString("base64")
    }
  }

  const circumstances: fc.Arbitrary<Circumstances> = fc.record({
    asks: fc.constantFrom("stream", "stream with usage", "whole"),
    end: fc.constantFrom("whole", "whole", "whole", "broken"),
    cuts,
    pace: fc.constantFrom(1, 2, 1_000)
  })

  const once = async (item: Case, at: ReadonlyArray<number> | "each", pace: number): Promise<Got> => {
    const answer = readAnswer(Buffer.from(item.base64, "base64"))
    running.upstream.sent.length = 0
    running.upstream.script = () => ({
      status: answer.status,
      headers: answer.headers,
      pieces: pieces(answer.body, at),
      end: item.end,
      pace
    })
    const response = await ask(running, agent, item)
    running.noDefects()
    await running.isIdle()
    const got = read(item, response)
    const { mayEnd, said } = expected(item, answer)
    const shown = `${item.asks}, ${item.end}; got ${got.kind} ${got.detail} ${sorted(got.said)}; the answer says ${sorted(said)}`
    if (got.kind === "whole") {
      if (answer.status !== 200) throw new Violation("an error as a success", shown)
      if (!mayEnd) throw new Violation("a truncated success", shown)
      const compared = item.asks === "whole" ? inAnyOrder : sorted
      if (compared(got.said) !== compared(said)) throw new Violation("a success with another text", shown)
    }
    if (got.kind === "in-band" && !isPrefix(got.said, said)) throw new Violation("words that nobody said", shown)
    if (item.mustSucceed && got.kind !== "whole") throw new Violation("a good answer is refused", shown)
    return got
  }

  const check = async (item: Case): Promise<void> => {
    const first = await once(item, [], 1_000)
    const others: Array<Got> = [await once(item, item.cuts, item.pace)]
    if (item.base64.length < maxEach) others.push(await once(item, "each", 1_000))
    for (const other of others) {
      if (first.kind !== other.kind || first.detail !== other.detail || sorted(first.said) !== sorted(other.said)) {
        throw new Violation(
          "another outcome for other pieces",
          `${item.asks}, ${item.end}: ${first.kind} ${first.detail} ${sorted(first.said)}; ${other.kind} ${other.detail} ${sorted(other.said)}`
        )
      }
    }
  }

  return {
    name: "upstream",
    extension: ".http",
    cases: fc
      .oneof(
        {
          weight: 4,
          arbitrary: fc.tuple(
            fc.nat(1_000),
            fc.array(answerStep, { minLength: 1, maxLength: 4 }),
            fc.nat(2),
            circumstances
          )
        },
        {
          weight: 1,
          arbitrary: fc.tuple(fc.nat(1_000), fc.array(harmlessStep, { maxLength: 4 }), fc.nat(2), circumstances)
        }
      )
      .map(([index, steps, lineEnds, around]) => build(index, steps, lineEnds, around)),
    corpus: corpus.flatMap(({ file }, index) =>
      (["stream", "stream with usage", "whole"] as const).map(
        (asks) => [`${file} (${asks})`, build(index, [], 0, { ...plainly, asks })] as const
      )
    ),
    check,
    settle: running.settle,
    bytesOf: (item) => Buffer.from(item.base64, "base64"),
    withBytes: (item, bytes) => ({ ...item, mustSucceed: false, base64: bytes.toString("base64") }),
    close: async () => {
      agent.destroy()
      await running.close()
    }
  }
}
