/**
 * Reads a request to a fake upstream, and answers by itself what no provider would let through.
 *
 * @since 0.1.0
 */
import type { Answer, Parsed } from "./fakeAnswer.js"
import { errorAnswer } from "./fakeAnswer.js"
import type { Endpoint } from "./fakeWire.js"

const posts: Readonly<Record<string, Endpoint>> = {
  "/v1/chat/completions": "chat",
  "/v1/completions": "completions",
  "/v1/embeddings": "embeddings"
}

const invalid = (message: string): Answer => errorAnswer(400, { message })

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const wanted: Readonly<Record<Endpoint, string>> = {
  chat: "messages",
  completions: "prompt",
  embeddings: "input",
  models: "model",
  media: "model"
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Reads a request, or says what answer it gets without asking the script. */
export const parse = (method: string, path: string, body: unknown, text: string): Parsed | Answer => {
  if (method === "GET" && (path === "/v1/models" || path.startsWith("/v1/models/"))) {
    const modelId = path === "/v1/models" ? undefined : decoded(path.slice("/v1/models/".length))
    return { endpoint: "models", body: {}, model: modelId ?? "", stream: false, modelId }
  }
  const endpoint = method === "POST" ? posts[path] : undefined
  if (endpoint === undefined) {
    return errorAnswer(404, { message: `Invalid URL (${method} ${path})`, code: null })
  }
  if (!isRecord(body)) return invalid(`We could not parse the JSON body of your request (${text.length} characters)`)
  const { model } = body
  if (typeof model !== "string") return errorAnswer(400, { message: "you must provide a model parameter" })
  const param = wanted[endpoint]
  if (body[param] === undefined) {
    return errorAnswer(400, {
      message: `Missing required parameter: '${param}'.`,
      param,
      code: "missing_required_parameter"
    })
  }
  return { endpoint, body, model, stream: body.stream === true && endpoint !== "embeddings" }
}

/** The JSON value of a body; the text itself when it is none, `undefined` when it is empty. */
export const parseJson = (text: string): unknown => {
  if (text === "") return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
