/**
 * An answer in the caller's own dialect: handed on as it comes.
 */
import type { Dialect } from "@switchyard/core/Dialect"
import type { JsonObject } from "@switchyard/core/Json"
import type { AwsDecoder } from "../auth/awsMessage.js"
import type { Hearing, StreamHearing } from "../exchange/hearing.js"
import type { Framing } from "../protocols/protocol.js"

/** Words after which nothing more comes, in dialects that have them. */
const lastWords: ReadonlySet<unknown> = new Set([
  "message_stop",
  "response.completed",
  "response.incomplete",
  "response.failed",
  "response.cancelled"
])

/** Hears answers in a dialect, for a caller who speaks it. */
export const passage = ({ answer }: Dialect, framing: Framing, decodeAws: AwsDecoder | undefined): Hearing => {
  const stream: StreamHearing = {
    read: (event, tell) => {
      // Frames that name no events leave that to us.
      const name = event.event ?? answer.eventName?.(event.json)
      tell(name === undefined ? event : { event: name, data: event.data, json: event.json })
      return lastWords.has(event.json.type)
    },
    end: () => {}
  }
  return {
    framing,
    decodeAws,
    isSame: true,
    answer: (body) => body,
    isError: (json: JsonObject, event) =>
      answer.error(event === undefined ? { data: "", json } : { event, data: "", json }) !== undefined,
    events: answer.events,
    stream: () => stream
  }
}
