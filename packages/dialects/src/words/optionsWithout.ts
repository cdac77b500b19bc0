import type { AnswerOptions } from "../Translator.js"

/** For answers that are written where no request is at hand: drills, folds, streams that go on. */
export const optionsWithout: AnswerOptions = {
  conversation: { origin: "chat", model: "", stream: true, turns: [], tools: [], settings: {}, extra: {} },
  id: "000000000000000000000000",
  created: 0,
  wantsUsage: true
}
