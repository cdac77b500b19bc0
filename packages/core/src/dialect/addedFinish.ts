import type { StreamEvent, StreamFacts } from "./ChatChunk.js"

/** The event that says of every open choice why it ends, for a provider that never does; `last` is the pattern for it. */
export const addedFinish = (last: StreamEvent, facts: StreamFacts): StreamEvent => {
  const { usage: _, ...pattern } = last.json
  const finish_reason = facts.hasTools ? "tool_calls" : "stop"
  const isText = pattern.object === "text_completion"
  const choices = facts.openChoices.map((index) => ({
    index,
    ...(isText ? { text: "" } : { delta: {} }),
    finish_reason
  }))
  const json = { ...pattern, choices }
  return { data: JSON.stringify(json), json }
}
