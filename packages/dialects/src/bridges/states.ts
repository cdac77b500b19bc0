/**
 * What a provider wants back as it was: thoughts that it signed or encrypted, and what it hangs on calls. Other libraries keep such
 * things beside their parts without reading them, so a state is plain JSON in chat's own spelling.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { between } from "../chat/reasoning.js"
import { asObject, asString, asText } from "../parts/values.js"

/** The field that holds a piece's words, by the type of what grows piece by piece. */
const growing: { readonly [type: string]: string } = {
  thinking: "thinking",
  "reasoning.text": "text",
  "reasoning.summary": "summary"
}

const given = (object: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null && value !== undefined))

/** A piece laid on the one before it, where it goes on with that; undefined where it begins another. */
const grown = (last: JsonObject | undefined, piece: JsonObject): JsonObject | undefined => {
  const field = growing[asString(piece.type) ?? ""]
  if (last === undefined || field === undefined || last.type !== piece.type) return undefined
  if (asText(last.signature) !== undefined || last.index !== piece.index) return undefined
  const before = asString(last[field]) ?? ""
  const more = asString(piece[field]) ?? ""
  // Who signs a block may say it once more, whole.
  const isRepeated = asText(piece.signature) !== undefined && more === before
  return { ...last, ...given(piece), [field]: isRepeated ? before : before + more }
}

const joined = (before: unknown, after: unknown): ReadonlyArray<JsonObject> => {
  const list = arrayOf(before).filter(isJsonObject)
  for (const piece of arrayOf(after).filter(isJsonObject)) {
    const more = grown(list[list.length - 1], piece)
    if (more === undefined) list.push(piece)
    else list[list.length - 1] = more
  }
  return list
}

/** The state of thoughts in a message or a delta; undefined where there is none. */
export const stateIn = (message: JsonObject | undefined): JsonObject | undefined => {
  if (message === undefined) return undefined
  const blocks = arrayOf(message.thinking_blocks)
  const details = arrayOf(message.reasoning_details)
  const isReasoning = asText(message.reasoning_content) === undefined && asText(message.reasoning) !== undefined
  if (blocks.length === 0 && details.length === 0 && !isReasoning) return undefined
  return withState(isReasoning ? { field: "reasoning" } : {}, {
    ...(blocks.length === 0 ? {} : { thinking_blocks: blocks }),
    ...(details.length === 0 ? {} : { reasoning_details: details })
  })
}

/** Two states of one thought, one after the other. */
export const withState = (before: JsonObject | undefined, after: JsonObject | undefined): JsonObject | undefined => {
  if (before === undefined || after === undefined) return before ?? after
  const state: Record<string, unknown> = { ...before, ...after }
  for (const name of ["thinking_blocks", "reasoning_details"]) {
    if (before[name] !== undefined || after[name] !== undefined) state[name] = joined(before[name], after[name])
  }
  return state
}

/** A thought of an earlier turn, and its state where one was kept. */
export interface Thought {
  readonly text: string
  readonly state?: JsonObject | undefined
}

/** The fields of an assistant's message that say what was thought, as they came. */
export const spelt = (thoughts: ReadonlyArray<Thought>): JsonObject => {
  const text = thoughts.flatMap((thought) => (thought.text === "" ? [] : [thought.text])).join(between)
  const states = thoughts.flatMap(({ state }) => (state === undefined ? [] : [state]))
  const all = (name: string): ReadonlyArray<unknown> => states.flatMap((state) => arrayOf(state[name]))
  const blocks = all("thinking_blocks")
  const details = all("reasoning_details")
  const field = states.some((state) => state.field === "reasoning") ? "reasoning" : "reasoning_content"
  return {
    ...(text === "" ? {} : { [field]: text }),
    ...(blocks.length === 0 ? {} : { thinking_blocks: blocks }),
    ...(details.length === 0 ? {} : { reasoning_details: details })
  }
}

/** The state of a call: what Google's endpoint of OpenAI's dialect hangs on it. */
export const stateOfCall = (call: unknown): JsonObject | undefined => {
  const extra = isJsonObject(call) ? asObject(call.extra_content) : undefined
  return extra === undefined ? undefined : { extra_content: extra }
}
