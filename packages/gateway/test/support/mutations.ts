/**
 * Requests that went wrong on their way: structures, bytes, headers and whole messages, mutated by seeded chance.
 */
import { authorized, masterKey, messages } from "./gateways.js"
import type { Dice } from "./seeded.js"

const strings = [
  "",
  " ",
  "x",
  "smart",
  "user",
  "__proto__",
  "constructor",
  "a\r\nx-injected: yes",
  "\u0000\u001f",
  "\ud800",
  "\udfff\ud800",
  "\u{1f600}\u202e\ufeff",
  "🧨".repeat(300),
  "x".repeat(10_000),
  "-1",
  "1e400",
  "true",
  "data: [DONE]\n\n",
  "data:image/png;base64,AAAA",
  "../../etc/passwd",
  "*"
] as const

const numbers = [
  0,
  -0,
  1,
  -1,
  0.5,
  1e-320,
  1e308,
  -1e308,
  2 ** 53,
  2 ** 31,
  -(2 ** 63),
  86_400,
  86_401,
  100,
  101
] as const

const keys = [
  "model",
  "messages",
  "prompt",
  "input",
  "stream",
  "stream_options",
  "temperature",
  "tools",
  "tool_choice",
  "response_format",
  "metadata",
  "max_tokens",
  "max_completion_tokens",
  "n",
  "user",
  "encoding_format",
  "reasoning",
  "thinking",
  "prompt_cache_key",
  "timeout",
  "stream_timeout",
  "num_retries",
  "max_fallbacks",
  "fallbacks",
  "context_window_fallbacks",
  "content_policy_fallbacks",
  "disable_fallbacks",
  "tags",
  "priority",
  "cache",
  "allowed_model_region",
  "session_id",
  "specific_deployment",
  "cooldown_time",
  "mock_response",
  "mock_timeout",
  "mock_testing_fallbacks",
  "mock_testing_rate_limit_error",
  "litellm_metadata",
  "role",
  "content",
  "type",
  "function",
  "name",
  "__proto__",
  "constructor",
  "toJSON",
  "hasOwnProperty",
  "then",
  "length",
  ""
] as const

const nested = (depth: number, inner: unknown, list: boolean): unknown => {
  let value = inner
  for (let level = 0; level < depth; level++) value = list ? [value] : { a: value }
  return value
}

const someValue = (dice: Dice, depth = 0): unknown => {
  const kind = dice.below(depth > 3 ? 5 : 9)
  if (kind === 0) return null
  if (kind === 1) return dice.below(2) === 0
  if (kind === 2) return dice.pick(numbers)
  // Half of them never come again: nothing may be kept for each.
  if (kind < 5) return dice.below(2) === 0 ? dice.pick(strings) : `once-${dice.below(2 ** 31)}`
  if (kind === 5) return Array.from({ length: dice.below(4) }, () => someValue(dice, depth + 1))
  if (kind === 6) return nested(dice.pick([10, 99, 101, 150]), dice.pick(strings), dice.below(2) === 0)
  return Object.fromEntries(Array.from({ length: dice.below(4) }, () => [dice.pick(keys), someValue(dice, depth + 1)]))
}

interface Base {
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
}

const bases: readonly [Base, ...ReadonlyArray<Base>] = [
  { path: "/v1/chat/completions", body: { model: "smart", messages, temperature: 0.5 } },
  {
    path: "/chat/completions",
    body: { model: "smart", messages, stream: true, stream_options: { include_usage: true }, metadata: { tags: [] } }
  },
  {
    path: "/v1/chat/completions",
    body: {
      model: "smart",
      messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
      tools: [{ type: "function", function: { name: "f", parameters: { type: "object" } } }],
      response_format: { type: "json_schema", json_schema: { name: "s", schema: {} } }
    }
  },
  { path: "/v1/completions", body: { model: "smart", prompt: "Hi", max_tokens: 5 } },
  { path: "/v1/embeddings", body: { model: "smart", input: ["a", "b"], encoding_format: "base64" } }
]

type Node = Record<string, unknown> | Array<unknown>

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null

/** Every object and list inside a value, itself included. */
const nodesOf = (root: Node): ReadonlyArray<Node> => {
  const found: Array<Node> = [root]
  for (const node of found) found.push(...Object.values(node).filter(isNode))
  return found
}

/** Changes one field or item somewhere: takes it out, puts another value there, or adds one. */
const mutateOnce = (root: Node, dice: Dice): void => {
  const [first = root, ...rest] = nodesOf(root)
  const node = dice.pick([first, ...rest])
  const own = Object.keys(node)
  const value = someValue(dice)
  if (Array.isArray(node)) {
    if (dice.below(3) === 0) node.splice(dice.below(node.length + 1), 1)
    else node[dice.below(node.length + 1)] = value
    return
  }
  const key = own.length > 0 && dice.below(2) === 0 ? (own[dice.below(own.length)] ?? "") : dice.pick(keys)
  if (dice.below(4) === 0) delete node[key]
  // Not by assignment: that would set the prototype for one of the keys.
  else Object.defineProperty(node, key, { value, enumerable: true, configurable: true, writable: true })
}

/** What no value can say: keys twice, numbers beyond all bounds, half characters, JSON that is almost JSON. */
const mutateText = (text: string, dice: Dice): string => {
  const at = dice.below(text.length)
  const insert = (what: string) => text.slice(0, at) + what + text.slice(at)
  switch (dice.below(9)) {
    case 0:
      return text.replace("{", '{"model":"smart","model":"smart",')
    case 1:
      return text.replace(
        "{",
        `{"temperature":${dice.pick(["1e999", "-1e999", "1".repeat(400), "0.".padEnd(500, "1"), "NaN"])},`
      )
    case 2:
      return text.replace("{", '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},')
    case 3:
      return text.replace("{", '{"user":"\\ud800","\\udc00":"\\u0000",')
    case 4:
      return text.replace("{", `{"x":${"[".repeat(50_000)}${"]".repeat(dice.pick([50_000, 49_999]))},`)
    case 5:
      return text.slice(0, at)
    case 6:
      return text + dice.pick([text, " ", "\u0000", "}", "// comment", "\ufeff"])
    case 7:
      return insert(dice.pick(["\u0000", "\n", '"', "\\", "\\u", "{", "]", ",", "\ufeff", "'"]))
    default:
      return `${dice.pick(["\ufeff", " \t\r\n", ")]}',\n", "0", "[", '"'])}${text}`
  }
}

const mutateBytes = (bytes: Buffer, dice: Dice): Buffer => {
  const changed = Buffer.from(bytes)
  const count = 1 + dice.below(8)
  for (let i = 0; i < count && changed.length > 0; i++) changed[dice.below(changed.length)] = dice.below(256)
  return changed
}

const latin1 = (dice: Dice): string =>
  Array.from({ length: dice.below(40) }, () => {
    const code = 32 + dice.below(224)
    return code === 127 ? " " : String.fromCharCode(code)
  }).join("")

const headerNames = [
  "x-switchyard-timeout",
  "x-switchyard-tags",
  "x-switchyard-cache",
  "x-switchyard-fallbacks",
  "x-switchyard-priority",
  "x-switchyard-session",
  "x-switchyard-num-retries",
  "x-switchyard-deployment",
  "x-switchyard-nonsense",
  "x-litellm-timeout",
  "x-litellm-tags",
  "x-request-id",
  "idempotency-key",
  "user-agent",
  "accept",
  "accept-encoding",
  "origin",
  "cookie",
  "x-api-key",
  "x-anything"
] as const

const headerValues = ["", "1", "-1", "true", "a,b,,c", "no-cache, ttl=5", "ttl=", "smart", "0.001", "1e9"] as const

/** Headers that an HTTP client lets through. */
const someHeaders = (dice: Dice): Record<string, string> => {
  const headers: Record<string, string> = { "content-type": "application/json", ...authorized }
  for (let i = dice.below(4); i > 0; i--) {
    headers[dice.pick(headerNames)] = dice.below(2) === 0 ? dice.pick(headerValues) : latin1(dice).trim()
  }
  if (dice.below(20) === 0)
    headers["authorization"] = dice.pick(["Bearer", "Bearer  ", "Basic eDp5", `bearer ${masterKey}`])
  if (dice.below(20) === 0)
    headers["content-type"] = dice.pick(["text/plain", "multipart/form-data", "", "x".repeat(500)])
  if (dice.below(30) === 0) headers["content-encoding"] = dice.pick(["gzip", "identity", "br, br"])
  if (dice.below(50) === 0) headers["x-long"] = "y".repeat(dice.pick([7_000, 20_000]))
  return headers
}

/** A request for an HTTP client. */
export interface Mutated {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export const mutated = (dice: Dice): Mutated => {
  const base = dice.pick(bases)
  const body: Node = structuredClone(base.body) as Node
  const kind = dice.below(10)
  if (kind < 7) for (let i = 1 + dice.below(3); i > 0; i--) mutateOnce(body, dice)
  let bytes: Buffer = Buffer.from(JSON.stringify(body))
  if (kind === 6 || kind === 7) bytes = Buffer.from(mutateText(bytes.toString(), dice))
  if (kind === 8) bytes = mutateBytes(bytes, dice)
  return {
    path: base.path,
    headers:
      kind < 5 && dice.below(2) === 0 ? { "content-type": "application/json", ...authorized } : someHeaders(dice),
    body: bytes
  }
}

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
  "P\u0000ST",
  "CONNECT"
] as const

const targets = [
  "/",
  "*",
  "//",
  "/v1/%00",
  "/v1/models",
  "http://evil.example/v1/embeddings",
  "/?a=b",
  "/%",
  "",
  "/é"
] as const

const lineMutations = (lines: Array<string>, dice: Dice): void => {
  const at = dice.below(lines.length)
  const line = lines[at] ?? ""
  switch (dice.below(8)) {
    case 0:
      lines.splice(at, 1)
      return
    case 1:
      lines.splice(at, 0, line)
      return
    case 2:
      lines[0] = line.replace(/^\S+/, dice.pick(methods))
      return
    case 3:
      lines[0] = (lines[0] ?? "").replace(/ \S* /, ` ${dice.pick(targets)} `)
      return
    case 4:
      lines[0] = (lines[0] ?? "").replace("HTTP/1.1", dice.pick(["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.1 x", ""]))
      return
    case 5:
      lines.push(
        dice.pick(["content-length: -1", "content-length: 99999999999999", "content-length: 3", "content-length: x"])
      )
      return
    case 6:
      lines.push(
        dice.pick([
          "transfer-encoding: chunked",
          "transfer-encoding: gzip",
          "expect: 100-continue",
          "expect: x",
          "upgrade: h2c",
          "connection: upgrade"
        ])
      )
      return
    default:
      lines.push(
        dice.pick([" folded", ":", "a b: c", "x: a\rb", "x: \u0000", `${"h".repeat(20_000)}: 1`, "host: other"])
      )
  }
}

/** A whole message for a bare socket. */
export const mutatedMessage = (dice: Dice): Buffer => {
  const { body, headers, path } = mutated(dice)
  const lines = [
    `POST ${path} HTTP/1.1`,
    "host: localhost",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${body.length}`
  ]
  if (dice.below(2) === 0) lines.push("connection: close")
  const kind = dice.below(10)
  if (kind < 6) for (let i = 1 + dice.below(2); i > 0; i--) lineMutations(lines, dice)
  const message = Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), body])
  if (kind === 6) return mutateBytes(message, dice)
  if (kind === 7) return message.subarray(0, dice.below(message.length))
  if (kind === 8) return Buffer.concat([message, message, Buffer.from("GARBAGE\r\n\r\n")])
  return message
}
