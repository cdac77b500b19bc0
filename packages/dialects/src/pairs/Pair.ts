/**
 * A caller's dialect over a provider's: requests one way, answers, events and errors the other.
 */
import type { JsonObject } from "@switchyard/core/Json"
import { Either } from "effect"
import type { Answer, AnswerEvent, Finish, SaidError } from "../conversation/Answer.js"
import type { Conversation, Part } from "../conversation/Conversation.js"
import { Account, type Dropped, type Problem } from "../conversation/Problem.js"
import type { Names } from "../parts/toolNames.js"
import type {
  AnswerOptions,
  EventReader,
  EventWriter,
  Given,
  Target,
  Tell,
  Translator,
  WireEvent,
  WriteOptions,
  Written
} from "../Translator.js"
import { namedBack, namesOf, renamed, stepNamedBack } from "./renamed.js"
import { settle } from "./settle.js"

/** The events of a stream, from the provider's dialect to the caller's. */
export interface EventBridge {
  /** `heard` is told each step, before it is written: what facts of a stream are made of. */
  readonly read: (json: JsonObject, tell: Tell<WireEvent>, event?: string, heard?: Tell<AnswerEvent>) => void
  /** The stream is over and whole: what is open is closed in the caller's dialect. */
  readonly end: (tell: Tell<WireEvent>) => void
}

/** Each thing that was left out once, however often it stood there. */
const once = (dropped: ReadonlyArray<Dropped>): ReadonlyArray<Dropped> => {
  if (dropped.length < 2) return dropped
  const seen = new Set<string>()
  return dropped.filter(({ path, reason }) => {
    const key = `${reason} ${path}`
    return !seen.has(key) && seen.add(key)
  })
}

/** Reads a caller's request. */
export const read = (
  origin: Translator,
  body: JsonObject,
  given?: Given
): Either.Either<Conversation, ReadonlyArray<Problem>> => origin.readRequest(body, given)

/**
 * Writes a request that was read in `origin` for `target`: fails with every field that the target cannot express, by the caller's
 * names, and says what was left out.
 */
export const write = (
  conversation: Conversation,
  origin: Translator,
  target: Target,
  options: WriteOptions
): Either.Either<Written, ReadonlyArray<Problem>> => {
  const account = new Account(options.dropsMeaning)
  const settled = renamed(settle(conversation, origin, target, account), namesOf(conversation, target))
  const written = target.writeRequest(settled, { pathOf: origin.pathOf, names: origin.names, ...options })
  if (Either.isLeft(written)) return Either.left([...account.problems, ...written.left])
  if (account.problems.length > 0) return Either.left(account.problems)
  return Either.right({ body: written.right.body, dropped: once([...account.dropped, ...written.right.dropped]) })
}

/** A thought of which nothing is known but that there was one: another dialect can say nothing of it. */
const isSilent = (part: Part): boolean => part.type === "reasoning" && part.text === "" && part.signature === undefined

/** What only the dialect that it was read from knows goes to no other. */
const withoutExtra = (said: Answer): Answer => {
  const hasExtra = said.choices.some(({ parts }) => parts.some((part) => part.extra !== undefined || isSilent(part)))
  if (said.extra === undefined && !hasExtra) return said
  const { extra: _, ...rest } = said
  if (!hasExtra) return rest
  const choices = said.choices.map((choice) => ({
    ...choice,
    parts: choice.parts.flatMap((part) =>
      isSilent(part) ? [] : part.extra === undefined ? [part] : [{ ...part, extra: undefined }]
    )
  }))
  return { ...rest, choices }
}

const eventWithoutExtra = (said: AnswerEvent): AnswerEvent =>
  (said.type === "start" || said.type === "toolCall" || said.type === "finish") && said.extra !== undefined
    ? { ...said, extra: undefined }
    : said

/** An end that is none: dialects have no word for it, or one that their clients take for a good end. */
const isBroken = (finish: Finish | undefined): boolean => finish === "error" || finish === "malformedCall"

const brokenBy = (finish: Finish | undefined, reason: string | undefined): string =>
  finish === "malformedCall"
    ? `ended in a call that is none (${reason ?? "malformed"})`
    : `was broken off by the model (${reason ?? "error"})`

/** A whole answer of `target`, as `origin` says it; fails with what is wrong when it is no answer, or broke off. */
export const answer = (
  body: JsonObject,
  origin: Translator,
  target: Target,
  options: AnswerOptions
): Either.Either<JsonObject, string> =>
  Either.flatMap(target.readAnswer(body), (said) => {
    if (origin.name === target.name) return Either.right(origin.writeAnswer(said, options))
    const broken = said.choices.find(({ finish }) => isBroken(finish))
    if (broken !== undefined) return Either.left(brokenBy(broken.finish, broken.reason))
    const names = namesOf(options.conversation, target)
    return Either.right(origin.writeAnswer(namedBack(withoutExtra(said), names), options))
  })

/** A stream that broke off ends with an error, as its provider could not say it. */
const unbroken = (said: AnswerEvent): AnswerEvent =>
  said.type === "finish" && isBroken(said.finish)
    ? { type: "error", error: { message: `The answer ${brokenBy(said.finish, said.reason)}.`, status: 502 } }
    : said

class Bridge implements EventBridge {
  constructor(
    private readonly reader: EventReader,
    private readonly writer: EventWriter,
    private readonly isSame: boolean,
    private readonly names: Names | undefined
  ) {}

  read(json: JsonObject, tell: Tell<WireEvent>, event?: string, heard?: Tell<AnswerEvent>): void {
    const { names } = this
    const take: Tell<AnswerEvent> = (step) => {
      const said = names === undefined ? step : stepNamedBack(step, names)
      heard?.(said)
      this.writer.write(this.isSame ? said : unbroken(eventWithoutExtra(said)), tell)
    }
    this.reader.read(json, take, event)
  }

  end(tell: Tell<WireEvent>): void {
    this.writer.end(tell)
  }
}

/** The events of one stream of `target`, as `origin` says them. */
export const events = (origin: Translator, target: Target, options: AnswerOptions): EventBridge =>
  new Bridge(
    target.eventReader(),
    origin.eventWriter(options),
    origin.name === target.name,
    namesOf(options.conversation, target)
  )

/** An error of `target`'s, as `origin` says it; undefined when the body is none. */
export const error = (body: JsonObject, origin: Translator, target: Target): JsonObject | undefined => {
  const said: SaidError | undefined = target.readError(body)
  return said === undefined ? undefined : origin.writeError(said)
}
