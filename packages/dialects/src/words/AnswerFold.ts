/**
 * The steps of a stream, put together to the answer that they are.
 */
import { arrayOf, type JsonObject } from "@switchyard/core/Json"
import type { Answer, AnswerEvent, Choice, Finish } from "../conversation/Answer.js"
import type { Citation, Part, Signature } from "../conversation/Conversation.js"
import type { Tokens } from "../conversation/Tokens.js"

/** A part while it grows. */
interface Growing {
  kind: "text" | "reasoning" | "refusal" | "call" | "whole"
  texts: Array<string>
  whole?: Part
  id?: string | undefined
  name?: string
  callKind?: "function" | "custom"
  namespace?: string | undefined
  isSummary?: boolean | undefined
  isRedacted?: boolean | undefined
  signature?: Signature
  citations?: Array<Citation>
  extra?: JsonObject | undefined
}

interface GrowingChoice {
  readonly parts: Map<number, Growing>
  finish?: Finish
  reason?: string | undefined
  stopSequence?: string | undefined
  logprobs?: JsonObject
}

const partOf = (one: Growing): Part => {
  const text = one.texts.join("")
  const signed = one.signature === undefined ? {} : { signature: one.signature }
  switch (one.kind) {
    case "text":
      return { type: "text", text, ...signed, ...(one.citations === undefined ? {} : { citations: one.citations }) }
    case "refusal":
      return { type: "refusal", text }
    case "call":
      return {
        type: "toolCall",
        id: one.id,
        name: one.name ?? "",
        kind: one.callKind ?? "function",
        arguments: text,
        ...(one.namespace === undefined ? {} : { namespace: one.namespace }),
        ...signed,
        ...(one.extra === undefined ? {} : { extra: one.extra })
      }
    case "reasoning":
      return {
        type: "reasoning",
        text,
        ...(one.isSummary === true ? { isSummary: true } : {}),
        ...(one.isRedacted === true ? { isRedacted: true } : {}),
        ...signed
      }
    case "whole":
      return one.whole as Part
  }
}

const choiceOf = ({ finish, logprobs, parts, reason, stopSequence }: GrowingChoice): Choice => ({
  parts: [...parts].sort(([a], [b]) => a - b).map(([, part]) => partOf(part)),
  finish,
  ...(reason === undefined ? {} : { reason }),
  ...(stopSequence === undefined ? {} : { stopSequence }),
  ...(logprobs === undefined ? {} : { logprobs })
})

/** Folds events; `answer` may be asked at any time. */
export class AnswerFold {
  private id: string | undefined
  private model: string | undefined
  private created: number | undefined
  private usage: Tokens | undefined
  private extra: JsonObject | undefined
  private readonly choices = new Map<number, GrowingChoice>()

  /** Takes a step in. */
  add(event: AnswerEvent): void {
    switch (event.type) {
      case "start":
        this.id ??= event.id
        this.model ??= event.model
        this.created ??= event.created
        if (event.extra !== undefined) this.extra = { ...this.extra, ...event.extra }
        return
      case "usage":
        this.usage = event.usage
        return
      case "finish": {
        const choice = this.choice(event.choice)
        choice.finish = event.finish
        choice.reason = event.reason
        choice.stopSequence = event.stopSequence
        if (event.extra !== undefined) this.extra = { ...this.extra, ...event.extra }
        return
      }
      case "error":
      case "end":
        return
      case "text":
        if (event.logprobs !== undefined) this.chosen(event.choice, event.logprobs)
        this.part(event.choice, event.part, event.type).texts.push(event.text)
        return
      case "refusal":
        this.part(event.choice, event.part, event.type).texts.push(event.text)
        return
      case "reasoning": {
        const part = this.part(event.choice, event.part, "reasoning")
        part.texts.push(event.text)
        if (event.isSummary === true) part.isSummary = true
        return
      }
      case "signature": {
        const part = this.part(event.choice, event.part, "reasoning")
        part.signature = event.signature
        if (event.isRedacted === true) part.isRedacted = true
        return
      }
      case "toolCall": {
        const part = this.part(event.choice, event.part, "call")
        part.id = event.id
        part.name = event.name
        part.callKind = event.kind
        part.namespace = event.namespace
        part.extra = event.extra
        if (event.signature !== undefined) part.signature = event.signature
        return
      }
      case "arguments":
        this.part(event.choice, event.part, "call").texts.push(event.text)
        return
      case "citation": {
        const part = this.part(event.choice, event.part, "text")
        part.citations ??= []
        part.citations.push(event.citation)
        return
      }
      case "part":
        this.part(event.choice, event.part, "whole").whole = event.value
    }
  }

  /** What came so far. */
  answer(): Answer {
    return {
      id: this.id,
      model: this.model,
      created: this.created,
      choices: [...this.choices].sort(([a], [b]) => a - b).map(([, choice]) => choiceOf(choice)),
      usage: this.usage,
      ...(this.extra === undefined ? {} : { extra: this.extra })
    }
  }

  private choice(index: number): GrowingChoice {
    let choice = this.choices.get(index)
    if (choice === undefined) {
      choice = { parts: new Map() }
      this.choices.set(index, choice)
    }
    return choice
  }

  private chosen(index: number, logprobs: JsonObject): void {
    const choice = this.choice(index)
    const content = arrayOf(logprobs.content)
    choice.logprobs =
      choice.logprobs === undefined
        ? logprobs
        : { ...choice.logprobs, content: [...arrayOf(choice.logprobs.content), ...content] }
  }

  private part(choice: number, index: number, kind: Growing["kind"]): Growing {
    const { parts } = this.choice(choice)
    let part = parts.get(index)
    if (part === undefined) {
      part = { kind, texts: [] }
      parts.set(index, part)
    }
    return part
  }
}
