/**
 * A conversation as a request of Gemini's.
 */
import type { JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type {
  Conversation,
  Part,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  Turn
} from "../../conversation/Conversation.js"
import { Account, type Problem } from "../../conversation/Problem.js"
import { inCallOrder } from "../../parts/toolTurns.js"
import type { WriteOptions, Written } from "../../Translator.js"
import { placeholder } from "../parts/signatures.js"
import { type PartOptions, writePart } from "../parts/writeParts.js"
import { generationOf } from "./thinking.js"
import { writeChoice, writeTools } from "./tools.js"
import { configOf, restOf } from "./writeSettings.js"

/** The path of a part, as Gemini's callers know it. */
export const pathOf = (turn: number, part?: number): string => {
  const content = turn < 0 ? "systemInstruction" : `contents[${turn}]`
  return part === undefined ? content : `${content}.parts[${part}]`
}

const isSystem = ({ role }: Turn): boolean => role === "system" || role === "developer"

/** A content while its parts come together. */
interface Content {
  readonly role: string
  readonly parts: Array<JsonObject>
  /** Media out of results, which stand behind all results. */
  readonly beside: Array<JsonObject>
}

class RequestWriter {
  private readonly isOwn
  private readonly options: PartOptions
  private readonly where

  constructor(
    private readonly conversation: Conversation,
    private readonly write: WriteOptions,
    private readonly account: Account
  ) {
    this.isOwn = conversation.origin === "gemini"
    this.where = write.pathOf ?? pathOf
    const generation = generationOf(write.model)
    this.options = {
      isOwn: this.isOwn,
      signs: (part) => part.signature !== undefined && this.isOurs(part.signature.dialect),
      hasMediaInResults: generation === undefined || generation >= 3
    }
  }

  /** Instructions, and all else. */
  body(): Record<string, unknown> {
    const ordered = this.isOwn
      ? this.conversation.turns
      : inCallOrder(this.conversation.turns, this.account, this.where)
    let from = 0
    const system: Array<JsonObject> = []
    let systemExtra: JsonObject | undefined
    while (from < ordered.length && isSystem(ordered[from] as Turn)) {
      const turn = ordered[from++] as Turn
      this.parts(turn, system, system)
      if (this.isOwn) systemExtra = turn.extra
    }
    const contents = this.isOwn ? this.own(ordered, from) : this.joined(ordered, from)
    if (contents.length > 0)
      return { contents, ...(from > 0 ? { systemInstruction: { ...systemExtra, parts: system } } : {}) }
    // There is nothing but instructions, and Gemini answers none without a content.
    return { contents: [{ role: "user", parts: system }] }
  }

  private isOurs(dialect: string): boolean {
    return dialect === "gemini" && this.write.knowsSignatures !== false
  }

  /** As it came, content by content. */
  private own(turns: ReadonlyArray<Turn>, from: number): ReadonlyArray<JsonObject> {
    const contents: Array<JsonObject> = []
    for (let at = from; at < turns.length; at++) {
      const turn = turns[at] as Turn
      const parts: Array<JsonObject> = []
      this.parts(turn, parts, parts)
      const role = turn.role === "assistant" ? "model" : turn.role === "tool" ? "function" : "user"
      if (parts.length > 0 || turn.parts.length === 0) contents.push({ role, parts, ...turn.extra })
    }
    return contents
  }

  /** Contents of one role that follow each other are one: Gemini wants them to take turns. */
  private joined(turns: ReadonlyArray<Turn>, from: number): ReadonlyArray<JsonObject> {
    const contents: Array<Content> = []
    for (let at = from; at < turns.length; at++) {
      const turn = turns[at] as Turn
      const role = turn.role === "assistant" ? "model" : "user"
      const last = contents[contents.length - 1]
      const content = last?.role === role ? last : { role, parts: [], beside: [] }
      this.parts(isSystem(turn) ? marked(turn) : turn, content.parts, content.beside)
      if (content !== last && content.parts.length + content.beside.length > 0) contents.push(content)
    }
    return contents.map(({ beside, parts, role }) => ({
      role,
      parts: beside.length === 0 ? parts : [...parts, ...beside]
    }))
  }

  private parts(turn: Turn, written: Array<JsonObject>, beside: Array<JsonObject>): void {
    let isFirstCall = true
    for (let at = 0; at < turn.parts.length; at++) {
      const part = turn.parts[at] as Part
      if (part.type === "reasoning" && !this.keeps(part, turn, at)) continue
      if (part.type === "text" || part.type === "toolCall") this.report(part, turn, at)
      if (part.type === "opaque" && part.dialect === "gemini") written.push(this.opaque(part.value, turn, at))
      else for (const one of writePart(part, this.options, beside)) written.push(one)
      if (part.type !== "toolCall") continue
      if (isFirstCall && this.needsPlaceholder(part)) {
        written[written.length - 1] = { ...written[written.length - 1], thoughtSignature: placeholder }
      }
      isFirstCall = false
    }
  }

  /** Only the first call of a step is looked at; a caller in Gemini's dialect knows that itself. */
  private needsPlaceholder({ signature }: ToolCallPart): boolean {
    return signature === undefined ? !this.isOwn : !this.isOurs(signature.dialect)
  }

  /** Thoughts of others say nothing to Gemini, which reads its own by their signature alone. */
  private keeps({ signature }: ReasoningPart, turn: Turn, at: number): boolean {
    if (signature === undefined ? this.isOwn : this.isOurs(signature.dialect)) return true
    this.account.drop(this.where(turn.at, at), "state")
    return false
  }

  private report({ signature }: TextPart | ToolCallPart, turn: Turn, at: number): void {
    if (signature !== undefined && !this.isOurs(signature.dialect)) this.account.drop(this.where(turn.at, at), "state")
  }

  private opaque(value: JsonObject, turn: Turn, at: number): JsonObject {
    if (this.write.knowsSignatures !== false) return value
    const { thoughtSignature, thought_signature, ...rest } = value
    if (thoughtSignature === undefined && thought_signature === undefined) return value
    this.account.drop(this.where(turn.at, at), "state")
    return rest
  }
}

/** Gemini has instructions at the beginning only: later ones are told by the user, as what they are. */
const marked = (turn: Turn): Turn => ({
  ...turn,
  role: "user",
  parts: turn.parts.map((part) =>
    part.type === "text" ? { ...part, text: `<system>\n${part.text}\n</system>` } : part
  )
})

/** The request, or all that is in its way. */
export const writeRequest = (
  conversation: Conversation,
  options: WriteOptions
): Either.Either<Written, ReadonlyArray<Problem>> => {
  const account = new Account(options.dropsMeaning)
  const isOwn = conversation.origin === "gemini"
  const rest = restOf(conversation)
  const body = new RequestWriter(conversation, options, account).body()
  const tools = writeTools(conversation)
  if (tools.length > 0) body.tools = tools
  const toolConfig = writeChoice(conversation, rest.choice, account)
  if (toolConfig !== undefined) body.toolConfig = toolConfig
  const config = { ...configOf(conversation.settings, options.model, account, isOwn), ...rest.config }
  if (Object.keys(rest.thinking).length > 0)
    config.thinkingConfig = { ...asConfig(config.thinkingConfig), ...rest.thinking }
  if (Object.keys(config).length > 0) body.generationConfig = config
  return account.problems.length > 0
    ? Either.left(account.problems)
    : Either.right({ body: { ...body, ...rest.body }, dropped: account.dropped })
}

const asConfig = (value: unknown): JsonObject =>
  typeof value === "object" && value !== null ? (value as JsonObject) : {}
