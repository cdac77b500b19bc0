/**
 * A conversation's tools under names that the target takes, and an answer's calls under the caller's own again.
 */
import type { Answer, AnswerEvent } from "../conversation/Answer.js"
import type { Conversation, Part, Tool, ToolChoice, Turn } from "../conversation/Conversation.js"
import { type Names, namesFor } from "../parts/toolNames.js"
import type { Target } from "../Translator.js"

/** The names of a conversation for another dialect; undefined where nothing has to be renamed. */
export const namesOf = (conversation: Conversation, target: Target): Names | undefined =>
  target.toolNames === undefined || conversation.origin === target.name
    ? undefined
    : namesFor(conversation, target.toolNames)

const choiceOf = (choice: ToolChoice, { out }: Names): ToolChoice => {
  if (choice.type === "tool") return { ...choice, name: out(choice.name) }
  return choice.type === "allowed" ? { ...choice, names: choice.names.map(out) } : choice
}

const toolOf = (tool: Tool, { out }: Names): Tool => (tool.type === "server" ? tool : { ...tool, name: out(tool.name) })

const isNamed = ({ type }: Part): boolean => type === "toolCall" || type === "toolResult"

const partOf = (part: Part, rename: (name: string) => string): Part => {
  if (part.type === "toolCall") return { ...part, name: rename(part.name) }
  return part.type === "toolResult" && part.name !== undefined ? { ...part, name: rename(part.name) } : part
}

const turnOf = (turn: Turn, { out }: Names): Turn =>
  turn.parts.some(isNamed) ? { ...turn, parts: turn.parts.map((part) => partOf(part, out)) } : turn

/** The same conversation under the names that go out. */
export const renamed = (conversation: Conversation, names: Names | undefined): Conversation => {
  if (names === undefined) return conversation
  const { toolChoice, tools, turns } = conversation
  return {
    ...conversation,
    tools: tools.map((tool) => toolOf(tool, names)),
    toolChoice: toolChoice === undefined ? undefined : choiceOf(toolChoice, names),
    turns: turns.map((turn) => turnOf(turn, names))
  }
}

/** A whole answer under the caller's names. */
export const namedBack = (answer: Answer, names: Names | undefined): Answer =>
  names === undefined
    ? answer
    : {
        ...answer,
        choices: answer.choices.map((choice) => ({
          ...choice,
          parts: choice.parts.map((part) => partOf(part, names.back))
        }))
      }

/** A step of an answer under the caller's names. */
export const stepNamedBack = (step: AnswerEvent, { back }: Names): AnswerEvent =>
  step.type === "toolCall" ? { ...step, name: back(step.name) } : step
