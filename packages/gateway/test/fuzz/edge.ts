/**
 * Fuzzes what callers send: every request gets one sound answer or the connection ends, and what goes to a provider is what
 * its caller wrote.
 */
import { isUtf8 } from "node:buffer"
import { connect, type Socket } from "node:net"
import { isOwnParameter } from "@switchyard/litellm/OwnParameters"
import { FastCheck as fc } from "effect"
import { controls } from "../../src/edge/calls/Controls.js"
import { depthOf, meaning, members, parse, type Tree } from "./jsonTree.js"
import { mutateRequest, type RequestStep } from "./mutateRequests.js"
import { type RawRequest, type Reading, readRequests, valuesOf } from "./requests.js"
import { run } from "./running.js"
import type { Script } from "./scriptedTransport.js"
import { cuts, pieces, step } from "./steps.js"
import { corpusOf, type Target, Violation } from "./target.js"

interface Case {
  readonly base64: string
  readonly cuts: ReadonlyArray<number>
  /** The client ends its side at once, and reads on. */
  readonly halfCloses: boolean
  /** Statuses that a file's name promises. */
  readonly expected: ReadonlyArray<number>
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

const patience = 8_000
const maxDepth = 100
const maxValues = 250_000

const statuses = new Set([200, 204, 400, 401, 403, 404, 405, 408, 413, 415, 417, 429, 431, 501, 502, 503, 504])
const json = { "content-type": "application/json" }

const chatAnswer =
  '{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
const textAnswer =
  '{"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"fine","finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
const embeddingsAnswer =
  '{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[0.5,-1]}],"usage":{"prompt_tokens":1,"total_tokens":1}}'
const chunks =
  'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"fine"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

const answerTo = (path: string, body: string): Script => {
  const isStream = !path.endsWith("embeddings") && (JSON.parse(body) as { readonly stream?: unknown }).stream === true
  const text = isStream
    ? chunks
    : path.endsWith("embeddings")
      ? embeddingsAnswer
      : path.endsWith("chat/completions")
        ? chatAnswer
        : textAnswer
  const headers = isStream ? { "content-type": "text/event-stream" } : json
  return { status: 200, headers, pieces: [Buffer.from(text)], end: "whole", pace: 1 }
}

const chunkedBody = (bytes: Buffer): { readonly body: Buffer; readonly rest: Buffer } | undefined => {
  const parts: Array<Buffer> = []
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16)
    if (Number.isNaN(size)) throw new Violation("no HTTP", `chunk ${bytes.toString("latin1", at, lineEnd)}`)
    at = lineEnd + 2 + size + 2
    if (bytes.length < at) return undefined
    if (size === 0) return { body: Buffer.concat(parts), rest: bytes.subarray(at) }
    parts.push(bytes.subarray(lineEnd + 2, at - 2))
  }
}

/** The whole answers in some bytes, 1xx left out, and what is left over. `methods`: of the requests that they answer. */
const readAnswers = (
  all: Buffer,
  methods: ReadonlyArray<string>
): { readonly answers: ReadonlyArray<Answer>; readonly rest: Buffer } => {
  const answers: Array<Answer> = []
  let rest = all
  for (;;) {
    const end = rest.indexOf("\r\n\r\n")
    if (end === -1) return { answers, rest }
    const [first = "", ...lines] = rest.toString("latin1", 0, end).split("\r\n")
    const status = Number(/^HTTP\/1\.1 (\d{3}) [ -~]*$/.exec(first)?.[1])
    if (Number.isNaN(status)) throw new Violation("no HTTP", first)
    const headers: Record<string, string> = {}
    for (const line of lines) {
      const [, name = "", value = ""] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? []
      if (name === "") throw new Violation("no HTTP", `header ${line}`)
      headers[name.toLowerCase()] = value
    }
    const after = rest.subarray(end + 4)
    if (status < 200) {
      rest = after
      continue
    }
    const isBodyless = status === 204 || status === 304 || methods[answers.length] === "HEAD"
    const body = isBodyless
      ? { body: Buffer.alloc(0), rest: after }
      : headers["transfer-encoding"] === "chunked"
        ? chunkedBody(after)
        : after.length < Number(headers["content-length"] ?? 0)
          ? undefined
          : {
              body: after.subarray(0, Number(headers["content-length"] ?? 0)),
              rest: after.subarray(Number(headers["content-length"] ?? 0))
            }
    if (body === undefined) return { answers, rest }
    answers.push({ status, headers, text: body.body.toString("utf8") })
    rest = body.rest
  }
}

const codeIn = ({ status, text }: Answer): string => {
  const parsed = JSON.parse(text) as {
    readonly error?: {
      readonly code?: unknown
      readonly message?: unknown
      readonly type?: unknown
      readonly param?: unknown
    }
  }
  const { code, message, param, type } = parsed.error ?? {}
  const isShaped =
    typeof code === "string" &&
    typeof message === "string" &&
    message !== "" &&
    typeof type === "string" &&
    (param === null || typeof param === "string")
  if (!isShaped) throw new Violation("an error of another shape", `${status} ${text}`)
  if (code === "internal_error" || code === "defect") throw new Violation("an internal error", text)
  return code
}

const judgeAnswer = (answer: Answer, method: string | undefined): void => {
  const { headers, status, text } = answer
  if (!statuses.has(status)) throw new Violation("a strange status", `${status} ${text}`)
  if (status === 200) {
    const type = String(headers["content-type"])
    if (type.startsWith("text/event-stream")) {
      if (!text.endsWith("data: [DONE]\n\n")) codeIn({ ...answer, text: text.slice(text.lastIndexOf("data: ") + 6) })
    } else if (type.startsWith("application/json") && method !== "HEAD") JSON.parse(text)
    return
  }
  if (status !== 204 && method !== "HEAD" && text !== "") codeIn(answer)
}

const isHot = ({ method, target }: RawRequest): boolean =>
  method === "POST" && /^(\/openai)?(\/v1)?\/(chat\/completions|completions|embeddings)$/.test(target)

/** Fields that the gateway writes itself. */
const written: ReadonlySet<string> = new Set(["model", "stream", "stream_options"])
const consumed: ReadonlySet<string> = new Set(controls.map(({ field }) => field))
/** Fields that are dropped in silence, or taken apart. */
const mayGo = (name: string): boolean =>
  consumed.has(name) || isOwnParameter(name) || /^(metadata|api_key|headers|extra_headers|organization)$/.test(name)

const within = (tree: Tree | undefined, of: Tree | undefined): boolean =>
  tree !== undefined &&
  of !== undefined &&
  [...members(tree)].every(([name, value]) => {
    const given = members(of).get(name)
    return given !== undefined && meaning(given) === meaning(value)
  })

/** Throws where what went to the provider is not what its caller wrote. */
const judgeSent = (given: Tree, sent: Tree): void => {
  const [theirs, ours] = [members(given), members(sent)]
  for (const [name, value] of ours) {
    if (written.has(name)) continue
    const wrote = theirs.get(name)
    const isSame =
      wrote !== undefined && (meaning(wrote) === meaning(value) || (name === "metadata" && within(value, wrote)))
    if (!isSame)
      throw new Violation(
        "a field was changed",
        `${name}: ${wrote === undefined ? "nothing" : meaning(wrote).slice(0, 300)} became ${meaning(value).slice(0, 300)}`
      )
  }
  for (const [name, value] of theirs) {
    if (ours.has(name) || written.has(name) || mayGo(name)) continue
    throw new Violation("a field was lost", `${name}: ${meaning(value).slice(0, 300)}`)
  }
}

const formCodes: ReadonlySet<string> = new Set([
  "empty_body",
  "invalid_utf8",
  "invalid_json",
  "too_deep",
  "invalid_number",
  "duplicate_field",
  "too_many_fields",
  "too_many_values"
])

/** What is wrong with a body by its form alone; empty when nothing is. */
const faultsOf = (body: Buffer): ReadonlyArray<string> => {
  const bytes = body.subarray(0, 3).equals(Buffer.from("\ufeff")) ? body.subarray(3) : body
  if (bytes.length === 0) return ["empty"]
  if (!isUtf8(bytes)) return ["no UTF-8"]
  const text = bytes.toString("utf8")
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return ["no JSON"]
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return ["no object"]
  const faults: Array<string> = []
  if (depthOf(text) > maxDepth) faults.push("deep")
  if (text.split(",").length > maxValues / 2) faults.push("maybe too many values")
  const outside = text.replace(/"(?:[^"\\]|\\.)*"/gs, "")
  if ((outside.match(/-?\d[\d.eE+-]*/g) ?? []).some((number) => !Number.isFinite(Number(number))))
    faults.push("infinite")
  const tree = parse(text)
  if (tree?.kind === "object" && members(tree).size < tree.entries.length) faults.push("twice")
  if (tree?.kind === "object" && tree.entries.length > 1_000) faults.push("maybe too many fields")
  return faults
}

/** Throws where a body was refused for its form and is sound, or was taken and is not. */
const judgeForm = (request: RawRequest, answer: Answer): void => {
  const faults = faultsOf(request.body)
  const shown = `${answer.status} ${answer.text.slice(0, 300)}; ${faults.join(", ")}`
  const isRefused = (answer.status === 400 || answer.status === 413) && formCodes.has(codeIn(answer))
  if (faults.length === 0 && isRefused) throw new Violation("a sound body is refused", shown)
  if (answer.status === 200 && faults.some((fault) => !fault.startsWith("maybe"))) {
    throw new Violation("a body without sense is taken", shown)
  }
}

interface Exchange {
  readonly bytes: Buffer
  readonly isClosed: boolean
}

export const make = async (): Promise<Target<Case>> => {
  const running = await run({
    retry: { attempts: 1 },
    server: { requestTimeout: "2 seconds", headersTimeout: "2 seconds", maxBodyBytes: 1_000_000 }
  })
  const corpus = corpusOf("edge")
  running.upstream.script = ({ body, path }) => answerTo(path, body.toString())

  /** Sends bytes and collects what comes, until `isEnough` or the end. */
  const exchange = (
    item: Case,
    bytes: Buffer,
    isEnough: (received: Buffer) => boolean,
    ends: boolean
  ): Promise<Exchange> =>
    new Promise((resolve, reject) => {
      const received: Array<Buffer> = []
      let size = 0
      const socket: Socket = connect({
        port: running.gateway.port,
        host: "127.0.0.1",
        noDelay: true,
        allowHalfOpen: true
      })
      const timer = setTimeout(() => {
        socket.destroy()
        reject(
          new Violation(
            "neither an answer nor an end",
            `after ${patience} ms: ${Buffer.concat(received).toString("latin1")}`
          )
        )
      }, patience)
      const finish = (isClosed: boolean): void => {
        clearTimeout(timer)
        socket.destroy()
        resolve({ bytes: Buffer.concat(received), isClosed })
      }
      socket.on("data", (part: Buffer) => {
        received.push(part)
        size += part.length
        if (size > 0 && isEnough(Buffer.concat(received))) finish(false)
      })
      socket.on("end", () => finish(true))
      socket.on("error", () => finish(true))
      socket.on("close", () => finish(true))
      socket.on("connect", () => {
        const [first, ...rest] = pieces(bytes, item.cuts)
        if (first !== undefined) socket.write(first)
        const next = (): void => {
          const part = rest.shift()
          if (part === undefined) {
            if (ends) socket.end()
          } else if (socket.writable) {
            socket.write(part)
            setImmediate(next)
          }
        }
        next()
      })
    })

  const judge = (item: Case, reading: Reading, { bytes, isClosed }: Exchange): void => {
    const { requests, rest } = reading
    // Where the answers end depends on who was asked for a head alone, which only a sound request tells.
    if (rest !== "nothing" && Buffer.from(item.base64, "base64").includes("HEAD")) return
    const methods = requests.map(({ method }) => method)
    const read = readAnswers(bytes, methods)
    const shown = `${requests.length} requests, then ${rest}; answers ${read.answers.map(({ status }) => status).join()}, ${isClosed ? "closed" : "open"}`
    if (read.rest.length > 0) throw new Violation("half an answer", `${shown}: ${read.rest.toString("latin1")}`)
    for (const [index, answer] of read.answers.entries()) judgeAnswer(answer, methods[index])
    const saysClose = read.answers.some(({ headers, status }) => headers.connection === "close" || status >= 400)
    if (rest === "nothing" && read.answers.length !== requests.length && !(isClosed && saysClose)) {
      throw new Violation("another number of answers", shown)
    }
    if (rest !== "odd" && read.answers.length > requests.length + 1)
      throw new Violation("another number of answers", shown)
    const { sent } = running.upstream
    const served = read.answers.filter(
      ({ status, text }) =>
        status === 200 &&
        /"object":"(chat\.completion|text_completion|list)/.test(text) &&
        !text.includes('"object":"model"')
    ).length
    if (rest !== "odd" && sent.length > requests.length) throw new Violation("more calls than requests", shown)
    if (rest === "nothing" && sent.length < served) throw new Violation("an answer from nowhere", shown)
    if (item.expected.length > 0 && read.answers.map(({ status }) => status).join() !== item.expected.join()) {
      throw new Violation(
        "another status than promised",
        `${shown}; ${read.answers.map(({ text }) => text.slice(0, 200)).join()}`
      )
    }
    const [request, answer] = [requests[0], read.answers[0]]
    if (requests.length !== 1 || request === undefined || answer === undefined || !isHot(request)) return
    if (valuesOf(request, "content-encoding").length > 0 || request.body.length > 1_000_000) return
    if ([200, 400, 413].includes(answer.status)) judgeForm(request, answer)
    // What some readers take for no request may have been served, and the gateway is one that takes more of them than ours.
    if (sent.length > 1) return
    const call = sent[0]
    if (answer.status !== 200 || call === undefined) return
    const given = parse(request.body.toString("utf8").replace(/^\ufeff/, ""))
    const forwarded = parse(call.body.toString())
    if (given === undefined || forwarded === undefined)
      throw new Violation("no JSON went out", call.body.toString().slice(0, 300))
    judgeSent(given, forwarded)
  }

  const check = async (item: Case): Promise<void> => {
    const bytes = Buffer.from(item.base64, "base64")
    const reading = readRequests(bytes)
    running.upstream.sent.length = 0
    const methods = reading.requests.map(({ method }) => method)
    const isEnough = (received: Buffer): boolean =>
      reading.rest === "nothing" &&
      readAnswers(received, methods).answers.length >= Math.max(1, reading.requests.length)
    const got = await exchange(
      item,
      bytes,
      isEnough,
      item.halfCloses || reading.rest !== "nothing" || bytes.length === 0
    )
    running.noDefects()
    await running.isIdle()
    judge(item, reading, got)
  }

  const requestStep: fc.Arbitrary<RequestStep> = fc.record({
    how: fc.constantFrom(
      "json",
      "json",
      "json",
      "json",
      "text",
      "large",
      "lines",
      "lines",
      "chunked",
      "wire",
      "pipelined"
    ),
    step
  })

  return {
    name: "edge",
    extension: ".http",
    cases: fc
      .tuple(fc.nat(1_000), fc.array(requestStep, { minLength: 1, maxLength: 4 }), cuts, fc.boolean())
      .map(([index, steps, at, halfCloses]) => ({
        base64: mutateRequest((corpus[index % corpus.length] ?? corpus[0]).bytes, steps, corpus).toString("base64"),
        cuts: at,
        halfCloses,
        expected: []
      })),
    corpus: corpus.map(({ bytes, file }) => [
      file,
      {
        base64: bytes.toString("base64"),
        cuts: [],
        halfCloses: false,
        expected: (/\.([\d-]+)\.http$/.exec(file)?.[1] ?? "")
          .split("-")
          .filter((text) => text !== "")
          .map(Number)
      }
    ]),
    check,
    settle: running.settle,
    bytesOf: (item) => Buffer.from(item.base64, "base64"),
    withBytes: (item, bytes) => ({ ...item, expected: [], base64: bytes.toString("base64") }),
    close: running.close
  }
}
