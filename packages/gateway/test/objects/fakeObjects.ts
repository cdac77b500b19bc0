/**
 * A provider on loopback that keeps things: responses, files, batches, vector stores and jobs of fine-tuning, each known to it alone.
 * It notes every request with all of its bytes.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, type Scope } from "effect"

type Json = Readonly<Record<string, unknown>>

/** A request as it came. */
interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

interface FileObject {
  readonly id: string
  readonly object: "file"
  readonly bytes: number
  readonly created_at: number
  readonly filename: string
  readonly purpose: string
  readonly status: "processed"
}

/** A provider that runs. */
export interface FakeObjects {
  readonly name: string
  readonly url: string
  readonly journal: () => ReadonlyArray<Asked>
  readonly last: () => Asked
  /** What a file holds; undefined once it is deleted. */
  readonly content: (id: string) => string | undefined
  /** Ends all batches: each line is answered, with this usage. */
  readonly finishBatches: (usage: Json) => void
  /** Answers the next request so, whatever it is. */
  readonly next: (answer: (response: ServerResponse, request: IncomingMessage) => void) => void
}

const read = async (request: IncomingMessage): Promise<string> => {
  const parts: Array<Buffer> = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString("latin1")
}

const field = (form: string, name: string): string =>
  new RegExp(`name="${name}"[^\\r]*\\r\\n(?:[^\\r]+\\r\\n)*\\r\\n([\\s\\S]*?)\\r\\n--`).exec(form)?.[1] ?? ""

const filenameIn = (form: string): string => /filename="([^"]*)"/.exec(form)?.[1] ?? "file"

/** Starts a provider, until the scope closes. */
export const make = (name: string): Effect.Effect<FakeObjects, never, Scope.Scope> =>
  Effect.gen(function* () {
    const journal: Array<Asked> = []
    const queue: Array<(response: ServerResponse, request: IncomingMessage) => void> = []
    const responses = new Map<string, Json>()
    const files = new Map<string, FileObject>()
    const contents = new Map<string, string>()
    const batches = new Map<string, Json>()
    const others = new Map<string, Json>()
    let number = 0
    const fresh = (prefix: string): string => `${prefix}${name}${String(++number).padStart(12, "0")}`

    const send = (response: ServerResponse, status: number, json: Json): void => {
      response.writeHead(status, { "content-type": "application/json", "x-request-id": `up-${number}` })
      response.end(JSON.stringify(json))
    }
    const missing = (response: ServerResponse, what: string, id: string): void =>
      send(response, 404, { error: { message: `No such ${what}: ${id}`, type: "invalid_request_error", param: "id" } })

    const addFile = (content: string, filename: string, purpose: string): FileObject => {
      const id = fresh("file-")
      const file = { id, object: "file", bytes: content.length, created_at: 1, filename, purpose, status: "processed" }
      files.set(id, file as FileObject)
      contents.set(id, content)
      return file as FileObject
    }

    const respond = (response: ServerResponse, body: Json): void => {
      const { previous_response_id: previous = null } = body
      if (typeof previous === "string" && !responses.has(previous)) return missing(response, "response", previous)
      for (const [, id = ""] of JSON.stringify(body).matchAll(/"file_id":"([^"]+)"/g)) {
        if (!files.has(id)) return missing(response, "file", id)
      }
      const id = fresh("resp_")
      const cited = /"file_id":"([^"]+)"/.exec(JSON.stringify(body))?.[1]
      const annotations = cited === undefined ? [] : [{ type: "file_citation", index: 0, file_id: cited }]
      const content = [{ type: "output_text", text: `Hello from ${name}, "${id}"`, annotations }]
      const item = { type: "message", id: `msg_${number}`, status: "completed", role: "assistant", content }
      const usage = { input_tokens: 5, output_tokens: 3, total_tokens: 8 }
      const begun = { id, object: "response", created_at: 1, model: body.model, previous_response_id: previous }
      const whole = { ...begun, status: "completed", output: [item], tools: body.tools ?? [], usage }
      responses.set(id, whole)
      if (body.stream !== true) return send(response, 200, whole)
      const empty = { ...begun, status: "in_progress", output: [] }
      const delta = { item_id: item.id, output_index: 0, content_index: 0 }
      const events: ReadonlyArray<Json> = [
        { type: "response.created", response: empty },
        { type: "response.output_item.added", output_index: 0, item: { ...item, content: [] } },
        { type: "response.output_text.delta", ...delta, delta: "Hello from " },
        { type: "response.output_text.delta", ...delta, delta: name },
        { type: "response.output_item.done", output_index: 0, item },
        { type: "response.completed", response: whole }
      ]
      response.writeHead(200, { "content-type": "text/event-stream" })
      events.forEach((event, sequence_number) => {
        response.write(`event: ${String(event.type)}\ndata: ${JSON.stringify({ ...event, sequence_number })}\n\n`)
      })
      response.end()
    }

    const onFiles = (method: string, id: string, part: string, text: string, response: ServerResponse): void => {
      if (method === "POST" && id === "") {
        return send(response, 200, { ...addFile(field(text, "file"), filenameIn(text), field(text, "purpose")) })
      }
      if (id === "") return send(response, 200, { object: "list", data: [...files.values()], has_more: false })
      const file = files.get(id)
      if (file === undefined) return missing(response, "File object", id)
      if (method === "DELETE") {
        files.delete(id)
        contents.delete(id)
        return send(response, 200, { id, object: "file", deleted: true })
      }
      if (part === "") return send(response, 200, { ...file })
      response.writeHead(200, { "content-type": "application/octet-stream" })
      response.end(contents.get(id))
    }

    const onBatches = (method: string, id: string, part: string, text: string, response: ServerResponse): void => {
      if (method === "POST" && id === "") {
        const asked = JSON.parse(text) as Json
        const input = String(asked.input_file_id)
        if (!files.has(input)) return missing(response, "File object", input)
        const made = { id: fresh("batch_"), object: "batch", ...asked, status: "validating", output_file_id: null }
        batches.set(made.id, made)
        return send(response, 200, made)
      }
      if (id === "") return send(response, 200, { object: "list", data: [...batches.values()], has_more: false })
      const batch = batches.get(id)
      if (batch === undefined) return missing(response, "batch", id)
      if (part === "cancel") batches.set(id, { ...batch, status: "cancelling" })
      send(response, 200, batches.get(id) ?? {})
    }

    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const { method = "GET", url = "/" } = request
      const text = await read(request)
      journal.push({ method, path: url, headers: request.headers, text })
      const scripted = queue.shift()
      if (scripted !== undefined) return scripted(response, request)
      const [, folder = "", id = "", part = ""] = /^\/v1\/([^/?]+)(?:\/([^/?]+))?(?:\/([^?]+))?/.exec(url) ?? []
      if (folder === "files") return onFiles(method, id, part, text, response)
      if (folder === "batches") return onBatches(method, id, part, text, response)
      if (folder === "responses") {
        if (method === "POST" && id === "") return respond(response, JSON.parse(text) as Json)
        const known = responses.get(id)
        if (known === undefined) return missing(response, "response", id)
        if (part === "input_items") return send(response, 200, { object: "list", data: [], has_more: false })
        if (method === "DELETE") responses.delete(id)
        return send(response, 200, method === "DELETE" ? { id, object: "response", deleted: true } : known)
      }
      if (method === "POST" && id === "") {
        const made = { id: fresh("vs_"), object: "vector_store", ...(JSON.parse(text || "{}") as Json) }
        others.set(made.id, made)
        return send(response, 200, made)
      }
      const known = others.get(id)
      return known === undefined ? missing(response, "object", id) : send(response, 200, known)
    }

    const server = createServer((request, response) => {
      answer(request, response).catch(() => response.destroy())
    })
    yield* Effect.acquireRelease(
      Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
      () =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    )
    return {
      name,
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
      journal: () => journal,
      last: () => journal[journal.length - 1] as Asked,
      content: (id) => contents.get(id),
      finishBatches: (usage) => {
        for (const [id, batch] of batches) {
          const lines = (contents.get(String(batch.input_file_id)) ?? "").split("\n").filter((line) => line !== "")
          const results = lines.map((line) => {
            const { body, custom_id } = JSON.parse(line) as { body: Json; custom_id: string }
            return JSON.stringify({ custom_id, response: { status_code: 200, body: { model: body.model, usage } } })
          })
          const output = addFile(`${results.join("\n")}\n`, "results.jsonl", "batch_output")
          batches.set(id, { ...batch, status: "completed", output_file_id: output.id })
        }
      },
      next: (scripted) => void queue.push(scripted)
    }
  })
