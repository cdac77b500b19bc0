/**
 * Recorded exchanges with Anthropic and those who sell Claude, held against readers and writers. They are not a part of the
 * project: SWITCHYARD_RECORDINGS names the folder.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { AnswerEvent } from "@switchyard/dialects/Answer"
import { messages } from "@switchyard/dialects/Messages"
import { Either } from "effect"
import { describe, expect, test } from "vitest"
import { AnswerFold } from "../../src/words/AnswerFold.js"
import { foldMessage, optionsFor, plain } from "../messages/fixtures.js"

const folder = process.env["SWITCHYARD_RECORDINGS"]
const isThere = folder !== undefined && existsSync(join(folder, "anthropic.jsonl"))
if (!isThere) console.warn("recordings of Messages: skipped, SWITCHYARD_RECORDINGS names no folder that has them")

interface Exchange {
  readonly id: string
  readonly path: string
  readonly request: unknown
  readonly status: number
  readonly json?: unknown
  readonly text?: string
}

const exchanges = (name: string): ReadonlyArray<Exchange> =>
  readFileSync(join(folder ?? "", name), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Exchange)

const ofMessages = (): ReadonlyArray<Exchange> =>
  ["anthropic.jsonl", "bedrock.jsonl"].flatMap((name) =>
    exchanges(name).filter(
      ({ path, request }) =>
        (path.includes("/v1/messages") || path.includes("anthropic.claude")) &&
        !path.includes("converse") &&
        isJsonObject(request) &&
        Array.isArray(request.messages) &&
        !path.includes("count-tokens")
    )
  )

const bodiesIn = (): ReadonlyArray<readonly [string, JsonObject]> => {
  const here = join(folder ?? "", "streams", "anthropic")
  const whole = readdirSync(here)
    .filter((name) => name.endsWith(".json"))
    .map((name) => [name, JSON.parse(readFileSync(join(here, name), "utf8")) as JsonObject] as const)
  const exchanged = ofMessages().flatMap(({ id, json, status }) =>
    status === 200 && isJsonObject(json) && json.type === "message" ? [[id, json] as const] : []
  )
  return [...whole, ...exchanged]
}

const parsed = (line: string): ReadonlyArray<JsonObject> => {
  const value: unknown = JSON.parse(line)
  return isJsonObject(value) ? [value] : []
}

const streamsIn = (): ReadonlyArray<readonly [string, ReadonlyArray<JsonObject>]> => {
  const here = join(folder ?? "", "streams", "anthropic")
  const recorded = readdirSync(here)
    .filter((name) => name.endsWith(".chunks.txt") && !name.startsWith("spliced"))
    .map((name) => [name, readFileSync(join(here, name), "utf8").split("\n").filter(Boolean).flatMap(parsed)] as const)
  const exchanged = ofMessages().flatMap(({ id, status, text }) =>
    status === 200 && text !== undefined
      ? [
          [
            id,
            text
              .split("\n")
              .filter((line) => line.startsWith("data:"))
              .flatMap((line) => parsed(line.slice(5)))
          ] as const
        ]
      : []
  )
  return [...recorded, ...exchanged]
}

/** A file of chunks may hold several answers, one behind the other. */
const answersIn = (events: ReadonlyArray<JsonObject>): ReadonlyArray<ReadonlyArray<JsonObject>> => {
  const answers: Array<Array<JsonObject>> = []
  let open: Array<JsonObject> = []
  for (const event of events) {
    if (open.length === 0) answers.push(open)
    open.push(event)
    if (event.type === "message_stop") open = []
  }
  return answers
}

describe.skipIf(!isThere)("recorded Messages", () => {
  test("every request is written as it was read", () => {
    const all = ofMessages()
    expect(all.length).toBeGreaterThan(100)
    for (const { id, request } of all) {
      const body = request as JsonObject
      const model = typeof body.model === "string" ? body.model : "claude-sonnet-4-5"
      const read = messages.readRequest(body, { model })
      if (Either.isLeft(read)) throw new Error(`${id}: ${JSON.stringify(read.left)}`)
      const written = messages.writeRequest(read.right, { model })
      if (Either.isLeft(written)) throw new Error(`${id}: ${JSON.stringify(written.left)}`)
      expect(written.right.dropped, id).toEqual([])
      const { max_tokens, ...rest } = written.right.body
      const { max_tokens: asked, model: _, stream, ...given } = body
      expect({ ...rest, max_tokens: asked ?? max_tokens }, id).toEqual({
        ...given,
        model,
        max_tokens,
        ...(stream === true ? { stream } : {})
      })
    }
  })

  test("every whole answer is written as it was read", () => {
    const all = bodiesIn()
    expect(all.length).toBeGreaterThan(100)
    for (const [id, body] of all) {
      const read = messages.readAnswer(body)
      if (Either.isLeft(read)) throw new Error(`${id}: ${read.left}`)
      const written = plain(messages.writeAnswer(read.right, optionsFor()))
      const { usage, ...rest } = plain(body)
      expect({ ...written, usage: undefined }, id).toEqual({ ...rest, usage: undefined })
      expect(written.usage, id).toMatchObject(usage as JsonObject)
    }
  })

  test("every stream folds to the whole answer that its events are, read, written and read again", () => {
    const all = streamsIn()
    expect(all.length).toBeGreaterThan(10)
    for (const [id, stream] of all) {
      for (const events of answersIn(stream)) {
        const whole = foldMessage(events)
        const reader = messages.eventReader()
        const writer = messages.eventWriter(optionsFor())
        const again: Array<JsonObject> = []
        const fold = new AnswerFold()
        for (const event of events) {
          reader.read(event, (said: AnswerEvent) => {
            expect(said.type, id).not.toBe("error")
            fold.add(said)
            writer.write(said, ({ json }) => void again.push(json))
          })
        }
        const read = messages.readAnswer(whole)
        if (Either.isLeft(read)) throw new Error(`${id}: ${read.left}`)
        const folded = messages.writeAnswer(fold.answer(), optionsFor())
        expect(plain(folded), id).toEqual(plain(messages.writeAnswer(read.right, optionsFor())))
        const rewritten = messages.readAnswer(foldMessage(again))
        if (Either.isLeft(rewritten)) throw new Error(`${id}: ${rewritten.left}`)
        expect(plain(messages.writeAnswer(rewritten.right, optionsFor())), id).toEqual(plain(folded))
      }
    }
  })
})
