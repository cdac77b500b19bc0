/**
 * Answers that are no JSON, as sound and plain transcripts: passed on as they come, under the provider's own type, no faster than
 * the caller reads. Nothing can be told in the middle of one, so one that breaks off is broken off here, too.
 */
import type { ServerResponse } from "node:http"
import type { StreamEvent } from "@switchyard/core/Dialect"
import type { EventStream } from "@switchyard/core/EventStream"
import type { JsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import type { Headers } from "@switchyard/core/LlmResponse"
import { Effect } from "effect"
import { streamHeaders } from "../calls/StreamWriter.js"

/** Types by the format that was asked for, where the provider tells none. */
const types: Readonly<Record<string, string>> = {
  mp3: "audio/mpeg",
  opus: "audio/ogg",
  aac: "audio/aac",
  flac: "audio/flac",
  wav: "audio/wav",
  pcm: "audio/pcm",
  text: "text/plain; charset=utf-8",
  srt: "application/x-subrip; charset=utf-8",
  vtt: "text/vtt; charset=utf-8"
}

const isPlain = (value: string | undefined): value is string =>
  value !== undefined && /^[\x20-\x7e]{1,300}$/.test(value)

/** What is said of such an answer, beside its way. */
export const headersOf = (provider: Headers, body: JsonObject): Record<string, string> => {
  const { "content-disposition": disposition, "content-type": type } = provider
  const asked = String(body.response_format ?? "")
  const known = Object.hasOwn(types, asked) ? types[asked] : undefined
  return {
    ...streamHeaders,
    "content-type": isPlain(type) ? type : (known ?? "application/octet-stream"),
    ...(isPlain(disposition) ? { "content-disposition": disposition } : {})
  }
}

/** Events, where they came in place of bytes. */
const bytesOf = ({ bytes, data, event }: StreamEvent): Uint8Array | string =>
  bytes ?? `${event === undefined ? "" : `event: ${event}\n`}data: ${data}\n\n`

/** The caller has room again, or is gone; then the server interrupts the fiber. */
const drained = (response: ServerResponse): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const onDrain = (): void => resume(Effect.void)
    if (!response.writableNeedDrain) return onDrain()
    response.once("drain", onDrain)
    return Effect.sync(() => response.off("drain", onDrain))
  })

/** Forwards an answer to its end; fails with what cut it. */
export const pumpBytes = (events: EventStream, response: ServerResponse): Effect.Effect<void, LlmError> =>
  events.forward((batch) => {
    let hasRoom = true
    for (const event of batch) hasRoom = response.write(bytesOf(event))
    return hasRoom ? undefined : drained(response)
  })
