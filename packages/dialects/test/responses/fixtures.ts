import type { JsonObject } from "@switchyard/core/Json"
import type { Answer, AnswerEvent } from "@switchyard/dialects/Answer"
import type { Conversation, Part } from "@switchyard/dialects/Conversation"
import type { Problem } from "@switchyard/dialects/Problem"
import { responses } from "@switchyard/dialects/Responses"
import type { AnswerOptions, WireEvent } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import { AnswerFold } from "../../src/words/AnswerFold.js"

/** The right, or a failure that shows the left. */
export const right = <A, E>(either: Either.Either<A, E>, label = ""): A => {
  if (Either.isLeft(either)) throw new Error(`${label}: ${JSON.stringify(either.left)}`)
  return either.right
}

export const left = <A>(either: Either.Either<A, ReadonlyArray<Problem>>): ReadonlyArray<Problem> => {
  if (Either.isRight(either)) throw new Error(`no problem: ${JSON.stringify(either.right)}`)
  return either.left
}

export const readAs = (body: JsonObject): Conversation => right(responses.readRequest(body))

/** What becomes of a request that is read and written again. */
export const rewritten = (body: JsonObject, label = ""): JsonObject =>
  right(
    responses.writeRequest(right(responses.readRequest(body), label), {
      model: typeof body.model === "string" ? body.model : ""
    }),
    label
  ).body

const empty: Conversation = {
  origin: "responses",
  model: "gpt-5",
  stream: true,
  turns: [],
  tools: [],
  settings: {},
  extra: {}
}

export const optionsFor = (conversation: Partial<Conversation> = {}): AnswerOptions => ({
  conversation: { ...empty, ...conversation },
  id: "0123456789abcdef01234567",
  created: 1_764_400_000
})

/** The steps that events are. */
export const stepsOf = (events: ReadonlyArray<JsonObject>): ReadonlyArray<AnswerEvent> => {
  const steps: Array<AnswerEvent> = []
  const reader = responses.eventReader()
  for (const json of events) reader.read(json, (said) => void steps.push(said))
  return steps
}

/** The events that steps become. */
export const eventsOf = (
  steps: ReadonlyArray<AnswerEvent>,
  options: AnswerOptions = optionsFor()
): ReadonlyArray<WireEvent> => {
  const events: Array<WireEvent> = []
  const writer = responses.eventWriter(options)
  for (const step of steps) writer.write(step, (event) => void events.push(event))
  writer.end((event) => void events.push(event))
  return events
}

export const folded = (steps: ReadonlyArray<AnswerEvent>): Answer => {
  const fold = new AnswerFold()
  for (const step of steps) fold.add(step)
  return fold.answer()
}

/** A part without what stands beside it. */
const plain = (part: Part): unknown => {
  const { extra: _, ...rest } = part
  if (rest.type === "reasoning") {
    const { id: _id, ...thought } = rest
    if (thought.signature === undefined || thought.signature.dialect === "responses") return thought
    // In a stream it is not known yet that a summary is another dialect's thought.
    const { isSummary: _is, ...foreign } = thought
    return foreign
  }
  return rest
}

/** What an answer says. */
export const said = ({ choices, created, id, model, usage }: Answer): unknown => ({
  id,
  model,
  created,
  usage,
  choices: choices.map(({ finish, parts, reason }) => ({ finish, reason, parts: parts.map(plain) }))
})
