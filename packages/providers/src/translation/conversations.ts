/**
 * Requests read once, however often they are tried.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import type { Members } from "@switchyard/core/ExactJson"
import type { JsonObject } from "@switchyard/core/Json"
import { type LlmRequest, wordsOf } from "@switchyard/core/LlmRequest"
import * as StandIn from "@switchyard/core/StandIn"
import type { Conversation, DialectName } from "@switchyard/dialects/Conversation"
import * as Pair from "@switchyard/dialects/Pair"
import type { Problem } from "@switchyard/dialects/Problem"
import type { Translator } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import type { Hearing } from "../exchange/hearing.js"
import { KeptAnswers, remembering } from "./keptAnswers.js"

/** A request as a conversation, or what is wrong with it. */
export type Reading = Either.Either<Conversation, ReadonlyArray<Problem>>

/** The dialect that a request is in. */
export const dialectOf = ({ dialect, operation }: LlmRequest): DialectName => {
  if (dialect !== undefined && dialect.name !== "chat") return dialect.name as DialectName
  return operation === "completion" ? "completions" : "chat"
}

/** A payload with what was too long to be read: a translator takes texts apart, and a stand-in only stands for a whole one. */
export const whole = (body: JsonObject, exact: Members | undefined): JsonObject => {
  if (exact === undefined) return body
  for (const member of exact.values()) {
    if ("source" in member && member.hasStandIn) return StandIn.restored(body, member.source) as JsonObject
  }
  return body
}

/** The same of an attempt whose payload is written anew member by member. */
export const wholeOf = (attempt: Attempt): Attempt => {
  const { exact, ...request } = attempt.request
  const body = whole(request.body, exact)
  return body === request.body ? attempt : attempt.asking({ ...request, body })
}

/** Remembers what payloads were read as, as long as they are alive. */
export class Conversations {
  private readonly known = new WeakMap<JsonObject, Reading>()
  private readonly kept = new KeptAnswers()
  /** Payloads of Responses with what they refer to, by the payload as it came. */
  private readonly payloads = new WeakMap<JsonObject, JsonObject>()

  of(request: LlmRequest, origin: Translator): Reading {
    const { body, exact, model, stream } = request
    const known = this.known.get(body)
    if (known !== undefined) return known
    const isElsewhere = wordsOf(request).model(body) === undefined
    const reading = Pair.read(origin, this.payloadOf(request, whole(body, exact)), {
      ...(isElsewhere ? { model } : {}),
      stream
    })
    this.known.set(body, reading)
    return reading
  }

  /** Hears an answer that is translated; callers of Responses may refer to it. */
  remembering(request: LlmRequest, hearing: Hearing): Hearing {
    const { body, caller } = request
    return dialectOf(request) === "responses"
      ? remembering(hearing, (answer) => this.kept.keep(this.payloads.get(body) ?? body, caller, answer))
      : hearing
  }

  private payloadOf(request: LlmRequest, body: JsonObject): JsonObject {
    if (dialectOf(request) !== "responses") return body
    const resolved = this.kept.resolved(body, request.caller)
    this.payloads.set(request.body, resolved)
    return resolved
  }

  /** From now on a payload is read as this. */
  is({ body }: LlmRequest, conversation: Conversation): void {
    this.known.set(body, Either.right(conversation))
  }
}
