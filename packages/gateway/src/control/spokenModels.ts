/**
 * Models as Anthropic's and Google's clients list them.
 */
import type { Speech } from "../errors/ErrorBody.js"
import type { Generation } from "../generations/Generations.js"
import { windowsOf } from "./ModelInfo.js"
import type { Model } from "./ModelList.js"

const asAnthropic = ({ created, id }: Model) => ({
  type: "model",
  id,
  display_name: id,
  created_at: new Date(created * 1000).toISOString()
})

const ofChats = ["generateContent", "streamGenerateContent", "countTokens"]
const ofEmbeddings = ["embedContent", "batchEmbedContents"]

const asGoogle = ({ id }: Model, generation: Generation) => {
  const { input, isEmbedding, output } = windowsOf(id, generation)
  return {
    name: `models/${id}`,
    version: "001",
    displayName: id,
    ...(input === null ? {} : { inputTokenLimit: input }),
    ...(output === null ? {} : { outputTokenLimit: output }),
    supportedGenerationMethods: isEmbedding ? ofEmbeddings : ofChats
  }
}

/** One model in the caller's words. */
export const one = (speech: Speech, model: Model, generation: Generation): object =>
  speech === "messages" ? asAnthropic(model) : speech === "gemini" ? asGoogle(model, generation) : model

const page = (models: ReadonlyArray<Model>, query: URLSearchParams) => {
  const after = query.get("after_id")
  const before = query.get("before_id")
  const limit = Number(query.get("limit") ?? 1000)
  const start = after === null ? 0 : models.findIndex(({ id }) => id === after) + 1
  const end =
    before === null
      ? models.length
      : Math.max(
          0,
          models.findIndex(({ id }) => id === before)
        )
  const rest = models.slice(start, end)
  const shown = Number.isInteger(limit) && limit > 0 ? rest.slice(0, limit) : rest
  return {
    data: shown.map(asAnthropic),
    has_more: shown.length < rest.length,
    first_id: shown[0]?.id ?? null,
    last_id: shown[shown.length - 1]?.id ?? null
  }
}

/** The list of models in the caller's words. */
export const list = (
  speech: Speech,
  models: ReadonlyArray<Model>,
  generation: Generation,
  query: URLSearchParams
): object => {
  if (speech === "messages") return page(models, query)
  if (speech === "gemini") return { models: models.map((model) => asGoogle(model, generation)) }
  return { object: "list", data: models }
}
