/**
 * Answers piece by piece, for libraries that have a word of their own for each: whole, or as they come. Chat's spellings, ids that
 * carry signatures, and states that have to come back are dealt with here, once.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import { chat } from "../chat/Chat.js"
import type { AnswerEvent, Finish } from "../conversation/Answer.js"
import type { Citation, Part, Signature } from "../conversation/Conversation.js"
import type { Tokens } from "../conversation/Tokens.js"
import { placeId, splitSignature, withSignature } from "../parts/toolIds.js"
import { asObject, asString } from "../parts/values.js"
import { stateIn, stateOfCall, withState } from "./states.js"

/** A piece of an answer. `state` is plain JSON that has to come back with the piece, for its provider's sake. */
export type Piece =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string; readonly state: JsonObject | undefined }
  | {
      readonly type: "call"
      readonly id: string
      readonly name: string
      /** JSON text as the model wrote it, maybe broken. */
      readonly arguments: string
      readonly state: JsonObject | undefined
    }
  /** `data` is base64. */
  | { readonly type: "file"; readonly mime: string; readonly data: string }
  | { readonly type: "source"; readonly url: string; readonly title: string | undefined }

/** What an answer says of itself. */
export interface Head {
  readonly id: string | undefined
  readonly model: string | undefined
  /** Seconds since 1970. */
  readonly created: number | undefined
}

/** How an answer ended. */
export interface Ending {
  /** Undefined where it was not said. */
  readonly finish: Finish | undefined
  /** As the provider spelt it. */
  readonly reason: string | undefined
  /** Undefined where the provider counted none. */
  readonly usage: Tokens | undefined
}

/** A whole answer. */
export interface Whole {
  readonly head: Head
  readonly pieces: ReadonlyArray<Piece>
  readonly ending: Ending
}

/** A step of an answer that comes bit by bit. Texts, thoughts and calls begin, grow and are told whole; the rest comes whole. */
export type Step =
  | { readonly type: "head"; readonly head: Head }
  | { readonly type: "begin"; readonly kind: "text" | "reasoning"; readonly at: string }
  | { readonly type: "begin"; readonly kind: "call"; readonly at: string; readonly id: string; readonly name: string }
  | { readonly type: "delta"; readonly kind: "text" | "reasoning" | "call"; readonly at: string; readonly text: string }
  | { readonly type: "piece"; readonly at: string; readonly piece: Piece }
  | { readonly type: "end"; readonly ending: Ending }

const sealed = (id: string | undefined, signature: Signature | undefined, turns: number, place: number): string => {
  const plain = id ?? placeId(turns, place)
  return signature === undefined ? plain : withSignature(plain, signature)
}

const sourcesOf = (citations: ReadonlyArray<Citation> | undefined): ReadonlyArray<Piece> =>
  (citations ?? []).flatMap(({ title, url }) => (url === undefined ? [] : [{ type: "source", url, title } as const]))

/** Media that an answer holds; other parts have no bytes to show. */
const shown = (part: Part): ReadonlyArray<Piece> => {
  if (part.type !== "image" && part.type !== "audio" && part.type !== "video" && part.type !== "file") return []
  const { source } = part
  if (source.kind === "bytes") return [{ type: "file", mime: source.mime, data: source.data }]
  return source.kind === "url" ? [{ type: "source", url: source.url, title: undefined }] : []
}

/** OpenAI writes `stop` where a model refuses in words of its own. */
const asRefused = (finish: Finish | undefined, isRefused: boolean): Finish | undefined =>
  isRefused && finish === "stop" ? "refusal" : finish

const messageOf = (body: JsonObject): JsonObject | undefined => {
  const first = arrayOf(body.choices)[0]
  return isJsonObject(first) ? (asObject(first.message) ?? asObject(first.delta)) : undefined
}

/** A whole answer in chat's words; `turns` are those of its request. Fails with what is wrong when it is no answer. */
export const ofAnswer = (body: JsonObject, turns: number): Either.Either<Whole, string> =>
  Either.map(chat.readAnswer(body), ({ choices, created, id, model, usage }) => {
    const [choice] = choices
    const message = messageOf(body)
    const rawCalls = arrayOf(message?.tool_calls)
    let state = stateIn(message)
    let calls = 0
    const pieces = (choice?.parts ?? []).flatMap((part): ReadonlyArray<Piece> => {
      switch (part.type) {
        case "text":
          return [{ type: "text", text: part.text }, ...sourcesOf(part.citations)]
        case "refusal":
          return [{ type: "text", text: part.text }]
        case "reasoning": {
          const own = state
          state = undefined
          return [{ type: "reasoning", text: part.text, state: own }]
        }
        case "toolCall": {
          const place = calls++
          const callId = sealed(part.id, part.signature, turns, place)
          const { arguments: text, name } = part
          return [{ type: "call", id: callId, name, arguments: text, state: stateOfCall(rawCalls[place]) }]
        }
        default:
          return shown(part)
      }
    })
    const { finish, reason } = choice ?? {}
    const isRefused = choice?.parts.some(({ type }) => type === "refusal") === true
    return { head: { id, model, created }, pieces, ending: { finish: asRefused(finish, isRefused), reason, usage } }
  })

/** A piece that grows. */
type Growing = { readonly at: string; text: string } & (
  | { readonly kind: "text" }
  | { readonly kind: "reasoning"; state: JsonObject | undefined }
  | { readonly kind: "call"; readonly id: string; readonly name: string; readonly state: JsonObject | undefined }
)

const pieceOf = (grown: Growing): Piece => {
  const { text } = grown
  if (grown.kind === "text") return { type: "text", text }
  if (grown.kind === "reasoning") return { type: "reasoning", text, state: grown.state }
  return { type: "call", id: grown.id, name: grown.name, arguments: text, state: grown.state }
}

/** Whether a call in a chunk is the one that begins. */
const begins = (call: unknown, { id, name }: { readonly id: string | undefined; readonly name: string }): boolean => {
  if (!isJsonObject(call)) return false
  return id === undefined ? asObject(call.function)?.name === name : splitSignature(asString(call.id) ?? "").id === id
}

/** Reads the chunks of one stream in chat's words; of several answers the first. */
export class PieceReader {
  private readonly reader = chat.eventReader()
  private readonly growing = new Map<number, Growing>()
  private steps: Array<Step> = []
  /** What the chunk at hand says of thoughts, until one of them takes it. */
  private state: JsonObject | undefined
  private chunkCalls: ReadonlyArray<unknown> = []
  private calls = 0
  private sources = 0
  private finish: Finish | undefined
  private isRefused = false
  private reason: string | undefined
  private usage: Tokens | undefined

  /** `turns` are those of the request. */
  constructor(private readonly turns: number) {}

  /** The steps that a chunk makes. */
  read(json: JsonObject): ReadonlyArray<Step> {
    this.steps = []
    const delta = messageOf(json)
    this.state = stateIn(delta)
    this.chunkCalls = arrayOf(delta?.tool_calls)
    this.reader.read(json, (event) => this.take(event))
    return this.steps
  }

  /** The last steps: what is open is told whole. */
  end(): ReadonlyArray<Step> {
    this.steps = []
    this.closeAll()
    const { finish, reason, usage } = this
    this.steps.push({ type: "end", ending: { finish, reason, usage } })
    return this.steps
  }

  private close(part: number, grown: Growing): void {
    this.growing.delete(part)
    this.steps.push({ type: "piece", at: grown.at, piece: pieceOf(grown) })
  }

  private closeAll(): void {
    for (const [part, grown] of this.growing) this.close(part, grown)
  }

  /** Another part begins: texts and thoughts before it are over. Calls may take turns. */
  private closeProse(): void {
    for (const [part, grown] of this.growing) if (grown.kind !== "call") this.close(part, grown)
  }

  private open(kind: "text" | "reasoning", part: number): Growing {
    const known = this.growing.get(part)
    if (known !== undefined) return known
    this.closeProse()
    const at = String(part)
    const grown: Growing = kind === "text" ? { kind, at, text: "" } : { kind, at, text: "", state: undefined }
    this.growing.set(part, grown)
    this.steps.push({ type: "begin", kind, at })
    return grown
  }

  private grow(grown: Growing, text: string): void {
    if (text === "") return
    grown.text += text
    this.steps.push({ type: "delta", kind: grown.kind, at: grown.at, text })
  }

  private call(event: Extract<AnswerEvent, { readonly type: "toolCall" }>): void {
    this.closeProse()
    const { name, part, signature } = event
    const id = sealed(event.id, signature, this.turns, this.calls++)
    const at = String(part)
    const state = stateOfCall(this.chunkCalls.find((call) => begins(call, event)))
    this.growing.set(part, { kind: "call", at, text: "", id, name, state })
    this.steps.push({ type: "begin", kind: "call", at, id, name })
  }

  private whole(pieces: ReadonlyArray<Piece>, at: string): void {
    for (const piece of pieces) this.steps.push({ type: "piece", at, piece })
  }

  private take(event: AnswerEvent): void {
    if ("choice" in event && event.choice !== 0) return
    switch (event.type) {
      case "start":
        this.steps.push({ type: "head", head: { id: event.id, model: event.model, created: event.created } })
        return
      case "text":
      case "refusal":
        this.isRefused ||= event.type === "refusal"
        this.grow(this.open("text", event.part), event.text)
        return
      case "reasoning":
      case "signature": {
        const grown = this.open("reasoning", event.part)
        if (event.type === "reasoning") this.grow(grown, event.text)
        if (grown.kind === "reasoning" && this.state !== undefined) {
          grown.state = withState(grown.state, this.state)
          this.state = undefined
        }
        return
      }
      case "toolCall":
        this.call(event)
        return
      case "arguments": {
        const grown = this.growing.get(event.part)
        if (grown !== undefined) this.grow(grown, event.text)
        return
      }
      case "citation":
        this.whole(sourcesOf([event.citation]), `source-${this.sources++}`)
        return
      case "part":
        this.closeProse()
        this.whole(shown(event.value), String(event.part))
        return
      case "finish":
        this.closeAll()
        this.finish = asRefused(event.finish, this.isRefused)
        this.reason = event.reason
        return
      case "usage":
        this.usage = event.usage
        return
      case "error":
        this.finish = "error"
        return
      case "end":
        return
    }
  }
}
