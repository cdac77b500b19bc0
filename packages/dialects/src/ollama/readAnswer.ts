import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Answer, AnswerEvent, Finish, SaidError } from "../conversation/Answer.js"
import type { Part, ToolCallPart } from "../conversation/Conversation.js"
import { count, type Tokens } from "../conversation/Tokens.js"
import { asObject, asString, asText, isGiven } from "../parts/values.js"
import type { EventReader, Tell } from "../Translator.js"

/** The meaning of a reason; one that nobody knows is a plain stop. */
export const readFinish = (reason: string): Finish => (reason === "length" ? "length" : "stop")

const finishOf = (reason: string, hasCalls: boolean): Finish => {
  const finish = readFinish(reason)
  return finish === "stop" && hasCalls ? "toolCalls" : finish
}

/** Counts that stand on top of an answer; what the prompt's cache served is not told. */
export const readTokens = (usage: unknown): Tokens | undefined => {
  if (!isJsonObject(usage) || !(isGiven(usage.eval_count) || isGiven(usage.prompt_eval_count))) return undefined
  return {
    uncached: count(usage.prompt_eval_count),
    cacheRead: 0,
    cacheWrite: 0,
    text: count(usage.eval_count),
    reasoning: 0
  }
}

/** The error in a body or a line; undefined when it is none. */
export const readError = (body: JsonObject): SaidError | undefined => {
  const message = asText(body.error) ?? asText(asObject(body.error)?.message)
  return message === undefined ? undefined : { message }
}

const createdAt = (value: unknown): number | undefined => {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN
  return Number.isFinite(ms) ? Math.floor(ms / 1_000) : undefined
}

const callOf = (call: unknown): ToolCallPart | undefined => {
  const said = isJsonObject(call) ? asObject(call.function) : undefined
  const name = asString(said?.name)
  if (!isJsonObject(call) || said === undefined || name === undefined) return undefined
  const { arguments: given } = said
  const text = typeof given === "string" ? given : JSON.stringify(given ?? {})
  return { type: "toolCall", id: asText(call.id), name, kind: "function", arguments: text }
}

/** Reads a whole answer. */
export const readAnswer = (body: JsonObject): Either.Either<Answer, string> => {
  const message = asObject(body.message)
  if (message === undefined) return Either.left("expected a message")
  const thinking = asText(message.thinking)
  const content = asText(message.content)
  const calls = arrayOf(message.tool_calls).flatMap((call) => callOf(call) ?? [])
  const parts: ReadonlyArray<Part> = [
    ...(thinking === undefined ? [] : [{ type: "reasoning", text: thinking } as const]),
    ...(content === undefined ? [] : [{ type: "text", text: content } as const]),
    ...calls
  ]
  const reason = asText(body.done_reason) ?? (body.done === true ? "stop" : undefined)
  return Either.right({
    model: asText(body.model),
    created: createdAt(body.created_at),
    choices: [{ parts, finish: reason === undefined ? undefined : finishOf(reason, calls.length > 0), reason }],
    usage: readTokens(body)
  })
}

class Reader implements EventReader {
  private isStarted = false
  private isDone = false
  private parts = 0
  private calls = 0
  private open: "text" | "reasoning" | undefined

  read(json: JsonObject, tell: Tell<AnswerEvent>): void {
    const error = readError(json)
    if (error !== undefined) return tell({ type: "error", error })
    if (!this.isStarted) {
      this.isStarted = true
      tell({ type: "start", model: asText(json.model), created: createdAt(json.created_at) })
    }
    const message = asObject(json.message)
    if (message !== undefined) {
      this.say("reasoning", asText(message.thinking), tell)
      this.say("text", asText(message.content), tell)
      for (const call of arrayOf(message.tool_calls)) this.call(callOf(call), tell)
    }
    if (json.done !== true || this.isDone) return
    this.isDone = true
    const reason = asText(json.done_reason) ?? "stop"
    const usage = readTokens(json)
    if (usage !== undefined) tell({ type: "usage", usage })
    tell({ type: "finish", choice: 0, finish: finishOf(reason, this.calls > 0), reason })
    tell({ type: "end" })
  }

  private say(type: "text" | "reasoning", text: string | undefined, tell: Tell<AnswerEvent>): void {
    if (text === undefined) return
    if (this.open !== type) {
      this.open = type
      this.parts++
    }
    tell({ type, text, choice: 0, part: this.parts - 1 })
  }

  private call(call: ToolCallPart | undefined, tell: Tell<AnswerEvent>): void {
    if (call === undefined) return
    this.open = undefined
    this.calls++
    const part = this.parts++
    tell({ type: "toolCall", id: call.id, name: call.name, kind: "function", choice: 0, part })
    tell({ type: "arguments", text: call.arguments, choice: 0, part })
  }
}

/** Reads the lines of one stream. */
export const eventReader = (): EventReader => new Reader()
