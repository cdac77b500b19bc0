import { mutateBytes } from "./mutateBytes.js"
import { mutateJson } from "./mutateJson.js"
import { pick, type Step } from "./steps.js"
import type { Item } from "./target.js"

const bodyKeys = [
  "model",
  "messages",
  "prompt",
  "input",
  "stream",
  "stream_options",
  "include_usage",
  "temperature",
  "tools",
  "tool_choice",
  "response_format",
  "metadata",
  "max_tokens",
  "max_completion_tokens",
  "n",
  "seed",
  "logit_bias",
  "user",
  "encoding_format",
  "dimensions",
  "reasoning",
  "prompt_cache_key",
  "timeout",
  "num_retries",
  "fallbacks",
  "context_window_fallbacks",
  "tags",
  "priority",
  "cache",
  "session_id",
  "specific_deployment",
  "cooldown_time",
  "mock_response",
  "mock_testing_fallbacks",
  "litellm_metadata",
  "additional_drop_params",
  "api_base",
  "api_key",
  "extra_body",
  "role",
  "content",
  "type",
  "function",
  "name",
  "image_url"
] as const

const methods = [
  "GET",
  "HEAD",
  "PUT",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "PATCH",
  "PRI",
  "post",
  "P\0ST",
  "CONNECT",
  ""
] as const

const targets = [
  "/",
  "*",
  "//",
  "//v1/chat/completions/",
  "/v1/%00",
  "/v1/models",
  "/v1/embeddings",
  "/health/live",
  "/metrics",
  "/admin/config",
  "/admin/fleet",
  "/openai/deployments/smart/chat/completions?api-version=1",
  "/engines/%/completions",
  "http://localhost/v1/chat/completions",
  "http://evil.example/v1/embeddings",
  "/v1/../v1/chat/completions",
  "/?a=b",
  "/%",
  "",
  "/\u00e9",
  "/v1/chat/completions#x",
  "localhost:80"
] as const

const versions = ["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.1 x", "", "http/1.1"] as const

const lines = [
  "content-length: 0",
  "content-length: -1",
  "content-length: +5",
  "content-length: 3",
  "content-length: 1, 1",
  "content-length: 0x10",
  "content-length: 99999999999999999999",
  "content-length: ",
  "Content-Length : 5",
  "transfer-encoding: chunked",
  "transfer-encoding: identity",
  "transfer-encoding: gzip, chunked",
  "transfer-encoding: chunked, chunked",
  "transfer-encoding:\tchunked",
  "Transfer-Encoding: xchunked",
  " folded",
  "\tfolded: x",
  ":",
  ": x",
  "a b: c",
  "x: a\rb",
  "x: a\nb: c",
  "x: \0",
  "x: \x7f\xff",
  "x",
  "host: other",
  "host:",
  "expect: 100-continue",
  "expect: x",
  "upgrade: h2c",
  "upgrade: websocket",
  "connection: upgrade",
  "connection: close",
  "connection: keep-alive, content-length",
  "content-encoding: gzip",
  "content-encoding: identity",
  "content-encoding: br, br",
  "content-type: text/plain",
  "content-type: multipart/form-data",
  "content-type: ",
  "authorization: Bearer x",
  "authorization: Basic eDp5",
  "x-api-key: y",
  "origin: http://evil.example",
  "x-forwarded-for: 1.2.3.4",
  "cookie: a=b",
  "x-request-id: \xe9\xff",
  "x-switchyard-timeout: 1e999",
  "x-switchyard-tags: ,,",
  "x-switchyard-cache: ttl=",
  "x-switchyard-fallbacks: smart,smart",
  "x-switchyard-nonsense: 1",
  "x-switchyard-num-retries: -1",
  "x-litellm-timeout: 0x10",
  "idempotency-key: a\tb",
  "traceparent: 00-zz-zz-01",
  `x-long: ${"y".repeat(9_000)}`,
  `${"h".repeat(17_000)}: 1`
] as const

/** A message on its way through the mutations; `lines` begins with the request line. */
interface Draft {
  lines: Array<string>
  body: Buffer
  /** The framing that is written last; `as it is` keeps whatever the lines say. */
  framing: "length" | "chunked" | "as it is"
}

const draftOf = (bytes: Buffer): Draft => {
  const end = bytes.indexOf("\r\n\r\n")
  const all = bytes.toString("latin1", 0, end).split("\r\n")
  return {
    lines: all.filter((line) => !/^content-length:/i.test(line)),
    body: bytes.subarray(end + 4),
    framing: all.some((line) => /^content-length:/i.test(line)) ? "length" : "as it is"
  }
}

const extensions = ["", "", "", ";x", ";x=y", '; x="\\""', " ", `;${"e".repeat(200)}`] as const

const chunked = (body: Buffer, size: number, what: number): Buffer => {
  const parts: Array<Buffer> = []
  const each = 1 + (size % 900)
  for (let at = 0; at < body.length; at += each) {
    const part = body.subarray(at, at + each)
    parts.push(Buffer.from(`${part.length.toString(16)}${pick(extensions, what)}\r\n`), part, Buffer.from("\r\n"))
  }
  return Buffer.concat([
    ...parts,
    Buffer.from(pick(["0\r\n\r\n", "0\r\n\r\n", "00\r\n\r\n", "0\r\nx: y\r\n\r\n", "0\r\n", "-1\r\n\r\n"], what))
  ])
}

const written = ({ body, framing, lines: all }: Draft): Buffer => {
  const head = framing === "length" ? [...all, `content-length: ${body.length}`] : all
  return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"), body])
}

const mutateLines = ({ lines: all }: Draft, { at, kind, size, what }: Step): void => {
  const index = at % all.length
  const [first = ""] = all
  switch (kind % 8) {
    case 0:
      return void all.splice(index, 1)
    case 1:
      return void all.splice(index, 0, all[index] ?? "")
    case 2:
      all[0] = first.replace(/^\S+/, pick(methods, what))
      return
    case 3:
      all[0] = first.replace(/ \S* /, ` ${pick(targets, what)} `)
      return
    case 4:
      all[0] = first.replace(/HTTP\/1\.1$/, pick(versions, what))
      return
    case 5:
      all[index] = (all[index] ?? "").replace(":", pick([" :", "", "::", ":\t"], size))
      return
    default:
      return void all.splice(1 + (size % all.length), 0, pick(lines, what))
  }
}

/** Fields that make a body one of those which are read while they arrive. */
const bulks = [
  `"${"x".repeat(140_000)}"`,
  `"${"\\u00e9\\n".repeat(18_000)}"`,
  `"${"\u00e9".repeat(70_000)}"`,
  `[${"1.50,".repeat(28_000)}-0]`,
  `[${'{"a":1.0},'.repeat(14_000)}{}]`,
  `[${'"text",'.repeat(20_000)}null]`,
  `{${Array.from({ length: 9_000 }, (_, index) => `"k${index}":[${index}.0]`).join(",")}}`
] as const

const enlarged = (text: string, { size, what }: Step): string => {
  const field = `${JSON.stringify(pick(["pad", "input", "prompt", "metadata", "tools"], size))}:${pick(bulks, what)}`
  return size % 2 === 0 ? text.replace(/^([^{]{0,4}\{)/, `$1${field},`) : text.replace(/\}\s*$/, `,${field}}`)
}

/** One mutation of a message. `pipelined` puts another one behind it; `wire` comes last, and knows no structure. */
export interface RequestStep {
  readonly how: "json" | "text" | "large" | "lines" | "chunked" | "wire" | "pipelined"
  readonly step: Step
}

/** A message after some mutations. */
export const mutateRequest = (
  bytes: Buffer,
  steps: ReadonlyArray<RequestStep>,
  corpus: readonly [Item, ...ReadonlyArray<Item>]
): Buffer => {
  const draft = draftOf(bytes)
  for (const { how, step } of steps) {
    if (how === "json") draft.body = Buffer.from(mutateJson(draft.body.toString("utf8"), step, bodyKeys))
    else if (how === "large") draft.body = Buffer.from(enlarged(draft.body.toString("utf8"), step))
    else if (how === "text") draft.body = mutateBytes(draft.body, step)
    else if (how === "lines") mutateLines(draft, step)
    else if (how === "chunked" && draft.framing === "length") {
      draft.framing = "as it is"
      draft.lines.push("transfer-encoding: chunked")
      draft.body = chunked(draft.body, step.size, step.what)
    }
  }
  let message = written(draft)
  for (const { how, step } of steps) {
    if (how === "wire") message = mutateBytes(message, step)
    else if (how === "pipelined") {
      const other = pick(corpus, step.at).bytes
      const garbage = Buffer.from(pick(["", "", "\r\n", "GARBAGE\r\n\r\n", "\0"], step.size))
      message =
        step.what % 2 === 0 ? Buffer.concat([message, garbage, other]) : Buffer.concat([other, garbage, message])
    }
  }
  return message
}
