/**
 * A transport in memory: it keeps what is sent, and answers with JSON.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type * as Transport from "@switchyard/providers/Transport"
import type { Context } from "effect"

/** A request that was sent. */
export interface Sent {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: JsonObject
}

/** A transport that answers each request so; `sent` are the requests, the oldest first. */
export const answering = (
  answer: (sent: Sent) => JsonObject
): { readonly transport: Context.Tag.Service<Transport.Transport>; readonly sent: ReadonlyArray<Sent> } => {
  const sent: Array<Sent> = []
  return {
    sent,
    transport: {
      send: ({ body, headers, origin, path }, handlers) => {
        const text = typeof body === "string" ? body : new TextDecoder().decode(body as Uint8Array)
        const one = { url: origin + path, headers, body: JSON.parse(text) as JsonObject }
        sent.push(one)
        handlers.onHeaders(200, { "content-type": "application/json" })
        handlers.onData(new TextEncoder().encode(JSON.stringify(answer(one))))
        handlers.onEnd()
        return { pause: () => {}, resume: () => {}, abort: () => {} }
      }
    }
  }
}
