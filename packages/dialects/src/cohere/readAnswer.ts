import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Answer, AnswerEvent, Finish, SaidError } from "../conversation/Answer.js"
import type { Citation, Part } from "../conversation/Conversation.js"
import { count, type Tokens } from "../conversation/Tokens.js"
import { asNumber, asObject, asString, asText, isGiven } from "../parts/values.js"
import type { EventReader, Tell } from "../Translator.js"

const finishes: Readonly<Record<string, Finish>> = {
  COMPLETE: "stop",
  STOP_SEQUENCE: "stop",
  MAX_TOKENS: "length",
  TOOL_CALL: "toolCalls",
  ERROR: "error",
  ERROR_TOXIC: "filter",
  ERROR_LIMIT: "context",
  TIMEOUT: "error"
}

/** The meaning of a reason; one that nobody knows is a plain stop. */
export const readFinish = (reason: string): Finish =>
  Object.hasOwn(finishes, reason) ? (finishes[reason] ?? "stop") : "stop"

/** Tokens as the model read and wrote them, the cache inside; where they are not told, those that are billed. */
export const readTokens = (usage: unknown): Tokens | undefined => {
  if (!isJsonObject(usage)) return undefined
  const said = asObject(usage.tokens) ?? asObject(usage.billed_units)
  if (said === undefined || !(isGiven(said.input_tokens) || isGiven(said.output_tokens))) return undefined
  const input = count(said.input_tokens)
  const cacheRead = Math.min(input, count(usage.cached_tokens))
  return { uncached: input - cacheRead, cacheRead, cacheWrite: 0, text: count(said.output_tokens), reasoning: 0 }
}

/** The error in a body or an event; undefined when it is none. */
export const readError = (body: JsonObject): SaidError | undefined => {
  const message = asText(body.message) ?? asText(asObject(body.delta)?.error) ?? asText(body.error)
  return message === undefined ? undefined : { message, type: asText(body.type) }
}

const citationOf = (value: JsonObject): Citation => {
  const source = asObject(arrayOf(value.sources)[0])
  const document = asObject(source?.document)
  return {
    dialect: "cohere",
    url: asText(document?.url),
    title: asText(document?.title) ?? asText(document?.id),
    cited: asText(value.text),
    start: asNumber(value.start),
    end: asNumber(value.end),
    value
  }
}

/** Arguments as JSON; a call without any says `null`. */
const argumentsOf = (value: unknown): string => {
  const text = asString(value) ?? ""
  return text === "null" ? "{}" : text
}

const partOf = (block: unknown): ReadonlyArray<Part> => {
  if (!isJsonObject(block)) return []
  if (typeof block.text === "string") return [{ type: "text", text: block.text }]
  if (typeof block.thinking === "string") return [{ type: "reasoning", text: block.thinking }]
  return [{ type: "opaque", dialect: "cohere", value: block }]
}

const callOf = (call: unknown): ReadonlyArray<Part> => {
  const said = isJsonObject(call) ? asObject(call.function) : undefined
  const name = asString(said?.name)
  if (!isJsonObject(call) || name === undefined) return []
  return [{ type: "toolCall", id: asText(call.id), name, kind: "function", arguments: argumentsOf(said?.arguments) }]
}

/** Reads a whole answer; the plan for tools is what the model thought. */
export const readAnswer = (body: JsonObject): Either.Either<Answer, string> => {
  const message = asObject(body.message)
  if (message === undefined) return Either.left("expected a message")
  const plan = asText(message.tool_plan)
  const content = typeof message.content === "string" ? [{ text: message.content }] : arrayOf(message.content)
  const parts: Array<Part> = content.flatMap(partOf)
  if (plan !== undefined) parts.unshift({ type: "reasoning", text: plan })
  const citations = arrayOf(message.citations).flatMap((one) => (isJsonObject(one) ? [citationOf(one)] : []))
  const at = citations.length === 0 ? -1 : parts.findIndex(({ type }) => type === "text")
  const text = parts[at]
  if (text?.type === "text") parts[at] = { ...text, citations }
  const reason = asText(body.finish_reason)
  return Either.right({
    id: asText(body.id),
    choices: [
      {
        parts: [...parts, ...arrayOf(message.tool_calls).flatMap(callOf)],
        finish: reason === undefined ? undefined : readFinish(reason),
        reason
      }
    ],
    usage: readTokens(body.usage)
  })
}

class Reader implements EventReader {
  private parts = 0
  private open: "text" | "reasoning" | undefined
  private part = 0
  private call: { readonly part: number; held: string } | undefined

  read(json: JsonObject, tell: Tell<AnswerEvent>): void {
    const delta = asObject(json.delta)
    const message = asObject(delta?.message)
    switch (json.type) {
      case "message-start":
        return tell({ type: "start", id: asText(json.id) })
      case "content-start":
        this.open = undefined
        return this.content(asObject(message?.content), tell)
      case "content-delta":
        return this.content(asObject(message?.content), tell)
      case "tool-plan-delta":
        return this.say("reasoning", asString(message?.tool_plan), tell)
      case "tool-call-start":
        return this.begin(asObject(message?.tool_calls), tell)
      case "tool-call-delta":
        return this.arguments(asString(asObject(asObject(message?.tool_calls)?.function)?.arguments), tell)
      case "tool-call-end":
        return this.endCall(tell)
      case "citation-start": {
        const citation = asObject(message?.citations)
        if (citation !== undefined) tell({ type: "citation", citation: citationOf(citation), ...this.place("text") })
        return
      }
      case "message-end":
        return this.end(delta, tell)
      default: {
        const error = json.type === undefined || json.type === "error" ? readError(json) : undefined
        if (error !== undefined) tell({ type: "error", error })
      }
    }
  }

  private place(type: "text" | "reasoning"): { readonly choice: 0; readonly part: number } {
    if (this.open !== type) {
      this.open = type
      this.part = this.parts++
    }
    return { choice: 0, part: this.part }
  }

  private say(type: "text" | "reasoning", text: string | undefined, tell: Tell<AnswerEvent>): void {
    if (text !== undefined && text !== "") tell({ type, text, ...this.place(type) })
  }

  private content(content: JsonObject | undefined, tell: Tell<AnswerEvent>): void {
    this.say("reasoning", asString(content?.thinking), tell)
    this.say("text", asString(content?.text), tell)
  }

  private begin(call: JsonObject | undefined, tell: Tell<AnswerEvent>): void {
    const said = asObject(call?.function)
    this.endCall(tell)
    this.open = undefined
    this.call = { part: this.parts++, held: "" }
    const name = asString(said?.name) ?? ""
    tell({ type: "toolCall", id: asText(call?.id), name, kind: "function", choice: 0, part: this.call.part })
    this.arguments(asString(said?.arguments), tell)
  }

  /** Four letters are held back, which might be `null`. */
  private arguments(text: string | undefined, tell: Tell<AnswerEvent>): void {
    const { call } = this
    if (call === undefined || text === undefined || text === "") return
    call.held += text
    if ("null".startsWith(call.held)) return
    tell({ type: "arguments", text: call.held, choice: 0, part: call.part })
    call.held = ""
  }

  private endCall(tell: Tell<AnswerEvent>): void {
    const { call } = this
    this.call = undefined
    if (call === undefined || call.held === "") return
    tell({ type: "arguments", text: argumentsOf(call.held), choice: 0, part: call.part })
  }

  private end(delta: JsonObject | undefined, tell: Tell<AnswerEvent>): void {
    this.endCall(tell)
    const usage = readTokens(delta?.usage)
    if (usage !== undefined) tell({ type: "usage", usage })
    const reason = asText(delta?.finish_reason) ?? "COMPLETE"
    const finish = readFinish(reason)
    if (finish === "error") {
      return tell({
        type: "error",
        error: { message: asText(delta?.error) ?? `the answer ended with ${reason}`, type: reason }
      })
    }
    tell({ type: "finish", choice: 0, finish, reason })
    tell({ type: "end" })
  }
}

/** Reads one stream. */
export const eventReader = (): EventReader => new Reader()
