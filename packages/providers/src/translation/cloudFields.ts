/**
 * What Anthropic's own service takes in a request, and the clouds that offer its models refuse: it goes along only where the beta
 * feature that it belongs to does. No answer is another without it, but for what is cached, and how long.
 */
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"

type Body = Record<string, unknown>

/** Deeper content holds no marks. */
const deepest = 4

const withoutScope = (item: JsonObject): JsonObject => {
  const { cache_control: mark } = item
  if (!isJsonObject(mark) || mark.scope === undefined) return item
  const { scope: _, ...rest } = mark
  return { ...item, cache_control: rest }
}

/** The same list where nothing in it changes. */
const mapped = (list: ReadonlyArray<unknown>, change: (item: JsonObject) => JsonObject): ReadonlyArray<unknown> => {
  let changed: Array<unknown> | undefined
  list.forEach((item, at) => {
    if (!isJsonObject(item)) return
    const made = change(item)
    if (made === item) return
    changed ??= [...list]
    changed[at] = made
  })
  return changed ?? list
}

const inContent =
  (change: (item: JsonObject) => JsonObject, depth = 0) =>
  (item: JsonObject): JsonObject => {
    const { content } = item
    const made = change(item)
    if (!Array.isArray(content) || depth > deepest) return made
    const inner = mapped(content, inContent(change, depth + 1))
    return inner === content ? made : { ...made, content: inner }
  }

const withoutEagerness = (tool: JsonObject): JsonObject => {
  if (tool.eager_input_streaming === undefined) return tool
  const { eager_input_streaming: _, ...rest } = tool
  return rest
}

/** Most marks of the cache that a request may have. */
const mostMarks = 4

const marksIn = (body: Body): number => {
  let marks = 0
  const count = inContent((item) => {
    if (isJsonObject(item.cache_control)) marks++
    return item
  })
  for (const list of [body.tools, body.system, body.messages]) mapped(arrayOf(list), count)
  return marks
}

/** The mark of a whole request stands for one on its last block. */
const markLast = (body: Body, mark: unknown): void => {
  const messages = arrayOf(body.messages)
  const last = messages.at(-1)
  if (!isJsonObject(mark) || !isJsonObject(last) || marksIn(body) >= mostMarks) return
  const content = typeof last.content === "string" ? [{ type: "text", text: last.content }] : arrayOf(last.content)
  const block = content.at(-1)
  if (!isJsonObject(block) || block.cache_control !== undefined) return
  body.messages = [
    ...messages.slice(0, -1),
    { ...last, content: [...content.slice(0, -1), { ...block, cache_control: mark }] }
  ]
}

/** Changes a body, which is a copy already, for a cloud that is told of these beta features; gives the paths of what was left out. */
export const fitCloud = (body: Body, betas: ReadonlyArray<string>): ReadonlyArray<string> => {
  const has = (...starts: ReadonlyArray<string>): boolean =>
    betas.some((beta) => starts.some((start) => beta.startsWith(start)))
  const dropped: Array<string> = []
  const change = (name: string, made: unknown, path: string): void => {
    if (made === body[name]) return
    body[name] = made
    if (!dropped.includes(path)) dropped.push(path)
  }
  if (body.context_management !== undefined && !has("context-management-", "compact-")) {
    delete body.context_management
    dropped.push("context_management")
  }
  if (body.cache_control !== undefined) {
    const mark = body.cache_control
    delete body.cache_control
    markLast(body, mark)
  }
  if (!has("prompt-caching-scope-")) {
    for (const name of ["system", "messages", "tools"]) {
      const list = body[name]
      if (Array.isArray(list)) change(name, mapped(list, inContent(withoutScope)), "cache_control.scope")
    }
  }
  if (Array.isArray(body.tools) && !has("fine-grained-tool-streaming-")) {
    change("tools", mapped(body.tools, withoutEagerness), "tools.eager_input_streaming")
  }
  return dropped
}
