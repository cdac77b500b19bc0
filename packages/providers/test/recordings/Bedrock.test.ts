/**
 * Recorded binary streams of Bedrock, from the bytes to the answer: looked for in the folder that SWITCHYARD_RECORDINGS names, and not
 * needed.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { EventStreamCodec } from "@smithy/eventstream-codec"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import { Effect } from "effect"
import * as S from "../support/support.js"

const folder = process.env.SWITCHYARD_RECORDINGS
const file = folder === undefined ? undefined : join(folder, "bedrock.jsonl")
const hasRecordings = file !== undefined && existsSync(file)

interface Recorded {
  readonly id: string
  readonly path: string
  readonly status: number
  readonly base64?: string
}

const recorded: ReadonlyArray<Recorded> = !hasRecordings
  ? []
  : readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Recorded)
      .filter(({ base64, path, status }) => base64 !== undefined && status === 200 && /converse-stream$/.test(path))

const codec = new EventStreamCodec(
  (bytes) => new TextDecoder().decode(bytes),
  (text) => new TextEncoder().encode(text)
)

/** The messages in bytes, by their lengths alone: the witness beside our own reader. */
const messagesIn = (bytes: Buffer): ReadonlyArray<JsonObject> => {
  const found: Array<JsonObject> = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    const { body } = codec.decode(bytes.subarray(at, at + length))
    found.push(JSON.parse(new TextDecoder().decode(body)) as JsonObject)
    at += length
  }
  return found
}

const deltaText = ({ delta }: JsonObject): string =>
  isJsonObject(delta) && typeof delta.text === "string" ? delta.text : ""
const arguments_ = ({ delta }: JsonObject): string =>
  isJsonObject(delta) && isJsonObject(delta.toolUse) ? String(delta.toolUse.input ?? "") : ""

const skipped = hasRecordings ? "" : " (skipped: SWITCHYARD_RECORDINGS names no folder)"

describe.skipIf(!hasRecordings)(`recorded streams of Bedrock${skipped}`, () => {
  it.live("are read from their bytes without loss: text, arguments, usage and the end", () =>
    Effect.gen(function* () {
      assert.isAbove(recorded.length, 0)
      for (const { base64 = "", id } of recorded) {
        const bytes = Buffer.from(base64, "base64")
        const service = OpenAiCompatible.make({
          send: (_, handlers) => {
            handlers.onHeaders(200, { "content-type": "application/vnd.amazon.eventstream" })
            for (let at = 0; at < bytes.length; at += 100) handlers.onData(bytes.subarray(at, at + 100))
            handlers.onEnd()
            return { pause: () => {}, resume: () => {}, abort: () => {} }
          }
        })
        const on = { protocol: "bedrock", model: "amazon.nova-pro-v1:0", baseUrl: "https://bedrock.example" }
        const stream = S.streaming(yield* S.call(service, S.streamed(), on))
        const events = yield* S.readAll(stream.events)
        const said = messagesIn(bytes)
        assert.strictEqual(S.textOf(events), said.map(deltaText).join(""), id)
        const calls = events.flatMap(({ json }) => {
          const choices = json.choices as ReadonlyArray<{ readonly delta?: JsonObject }>
          return (choices[0]?.delta?.tool_calls ?? []) as ReadonlyArray<{
            readonly function: { readonly arguments?: string }
          }>
        })
        assert.strictEqual(
          calls.map((call) => call.function.arguments ?? "").join(""),
          said.map(arguments_).join(""),
          id
        )
        const usage = said.find((message) => isJsonObject(message.usage))?.usage as JsonObject
        const { outcome } = stream.events.settlement
        assert.strictEqual(outcome?._tag, "Completed", id)
        assert.strictEqual(outcome?.usage?.outputTokens, usage.outputTokens, id)
      }
    })
  )
})
