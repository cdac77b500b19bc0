/**
 * What of a request another dialect can take over: the rest is left out and told, or refused by the caller's own name of it.
 */
import type { Conversation, DialectName, Part, Settings, Tool, ToolChoice, Turn } from "../conversation/Conversation.js"
import type { Account } from "../conversation/Problem.js"
import type { Feature, Target, Translator } from "../Translator.js"

/** Settings whose value asks for nothing that an answer would not have without them. */
const isIdle: { readonly [name in keyof Settings]?: (value: unknown) => boolean } = {
  choices: (value) => value === 1,
  presencePenalty: (value) => value === 0,
  frequencyPenalty: (value) => value === 0,
  stop: (value) => Array.isArray(value) && value.length === 0,
  modalities: (value) => Array.isArray(value) && value.every((one) => one === "text"),
  parallelTools: (value) => value === true,
  format: (value) => (value as { readonly type?: unknown }).type === "text"
}

const settingsFor = (conversation: Conversation, origin: Translator, target: Target, account: Account): Settings => {
  const { settings } = conversation
  let kept: Record<string, unknown> | undefined
  for (const name in target.lacks) {
    const feature = name as Feature
    if (feature === "tools" || feature === "toolChoice") continue
    const value = settings[feature]
    const fieldClass = target.lacks[feature]
    if (value === undefined || fieldClass === undefined) continue
    kept ??= { ...settings }
    delete kept[feature]
    if (isIdle[feature]?.(value) !== true) account.lacks(fieldClass, origin.names[feature] ?? feature)
  }
  return kept ?? settings
}

const isForeign = (dialect: DialectName, target: Target): boolean => dialect !== target.name

const toolsFor = (conversation: Conversation, target: Target, account: Account): ReadonlyArray<Tool> => {
  const { tools } = conversation
  if (!tools.some((tool) => tool.type === "server" && isForeign(tool.dialect, target))) return tools
  return tools.filter((tool) => {
    if (tool.type !== "server" || !isForeign(tool.dialect, target)) return true
    account.lacks("tool", `tools.${tool.name}`)
    return false
  })
}

const choiceFor = (
  { toolChoice, tools: offered }: Conversation,
  tools: ReadonlyArray<Tool>,
  origin: Translator,
  target: Target,
  account: Account
): ToolChoice | undefined => {
  if (toolChoice === undefined) return undefined
  const path = origin.names.toolChoice ?? "tool_choice"
  if (toolChoice.type === "server" && isForeign(toolChoice.dialect, target)) {
    account.lacks("meaning", path, "a tool that the provider runs is forced, and this provider has none such")
    return undefined
  }
  if (tools.length > 0 || offered.length === 0) return toolChoice
  // Every tool was the provider's own: to force one of them is meaning, to offer them was not.
  if (toolChoice.type === "required" || (toolChoice.type === "allowed" && toolChoice.isRequired)) {
    account.lacks("meaning", path, "a call is required, and no tool is left that this provider could call")
  }
  return undefined
}

const isFileById = (part: Part): boolean =>
  (part.type === "image" || part.type === "audio" || part.type === "video" || part.type === "file") &&
  part.source.kind === "id"

const mustGo = (part: Part, target: Target): boolean =>
  (part.type === "opaque" && isForeign(part.dialect, target)) ||
  isFileById(part) ||
  (part.type === "toolResult" && part.content.some((inner) => mustGo(inner, target)))

const partFor = (part: Part, path: string, target: Target, account: Account): Part | undefined => {
  if (part.type === "opaque") {
    if (!isForeign(part.dialect, target)) return part
    account.lacks(part.fieldClass ?? "tool", path, "only its own provider knows what it stands for")
    return undefined
  }
  if (isFileById(part)) {
    account.lacks("meaning", path, "a file by its id is known to its own provider only: send its bytes or a URL")
    return undefined
  }
  if (part.type !== "toolResult") return part
  const content = part.content.flatMap((inner) => partFor(inner, path, target, account) ?? [])
  return { ...part, content }
}

const turnsFor = (
  conversation: Conversation,
  origin: Translator,
  target: Target,
  account: Account
): ReadonlyArray<Turn> => {
  let turns: Array<Turn> | undefined
  conversation.turns.forEach((turn, index) => {
    if (!turn.parts.some((part) => mustGo(part, target))) return
    turns ??= [...conversation.turns]
    const parts = turn.parts.flatMap(
      (part, place) => partFor(part, origin.pathOf(turn.at, place), target, account) ?? []
    )
    turns[index] = { ...turn, parts }
  })
  return (
    turns?.filter((turn, index) => turn.parts.length > 0 || conversation.turns[index] === turn) ?? conversation.turns
  )
}

/**
 * The conversation as the target's writer gets it. Where origin and target are one dialect it is the same; else fields that only
 * the origin knows are gone, and so are features that the target lacks, server tools and opaque parts of others.
 */
export const settle = (
  conversation: Conversation,
  origin: Translator,
  target: Target,
  account: Account
): Conversation => {
  if (origin.name === target.name) return conversation
  for (const name in conversation.extra) {
    const value = conversation.extra[name]
    if (value === undefined || value === null) continue
    const said = origin.fields[name]
    const fieldClass = typeof said === "function" ? said(value) : (said ?? "advisory")
    if (fieldClass !== undefined) account.lacks(fieldClass, name)
  }
  const tools = toolsFor(conversation, target, account)
  return {
    ...conversation,
    settings: settingsFor(conversation, origin, target, account),
    tools,
    toolChoice: choiceFor(conversation, tools, origin, target, account),
    turns: turnsFor(conversation, origin, target, account),
    extra: {}
  }
}
