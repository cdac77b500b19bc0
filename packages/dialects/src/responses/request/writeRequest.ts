import type { JsonObject } from "@switchyard/core/Json"
import * as ModelFamily from "@switchyard/core/ModelFamily"
import { Either } from "effect"
import type { Conversation, Part, Settings, ToolResultPart, Turn } from "../../conversation/Conversation.js"
import { Account, type Problem } from "../../conversation/Problem.js"
import { asEffort } from "../../parts/reasoningLevels.js"
import { inCallOrder } from "../../parts/toolTurns.js"
import { objectOf } from "../../parts/values.js"
import type { WriteOptions, Written } from "../../Translator.js"
import { itemOf } from "../own.js"
import { logprobsIncluded } from "./readRequest.js"
import { inputPiece } from "./writeContent.js"
import { callIdOf, type ItemRules, modelItems } from "./writeItems.js"
import { writeToolChoice, writeTools } from "./writeTools.js"

/** The least that OpenAI takes as a bound. */
const leastOutput = 16

const textsOf = (parts: ReadonlyArray<Part>): string => {
  const texts: Array<string> = []
  for (const part of parts) if (part.type === "text") texts.push(part.text)
  return texts.join("\n\n")
}

/** Writes the items of one request. */
class Items {
  readonly items: Array<JsonObject> = []
  instructions: string | undefined
  private readonly rules: ItemRules

  constructor(
    private readonly account: Account,
    private readonly pathOf: (turn: number, part?: number) => string,
    /** Whether encrypted reasoning in it is of this account; without it the ids of items mean nothing here either. */
    private readonly isOwn: boolean
  ) {
    this.rules = {
      fresh: (type) => ({ type }),
      callId: ({ id }, place) => callIdOf(id ?? `call_${place}`),
      seals: false,
      isBare: true,
      reshape: isOwn ? undefined : withoutId,
      onLost: () => account.drop("reasoning", "state")
    }
  }

  turn(turn: Turn): void {
    if (turn.role === "assistant") return this.assistant(turn)
    const own = itemOf(turn)
    let said: Array<Part> = []
    for (const part of turn.parts) {
      if (part.type === "toolResult") this.result(part, turn)
      else said.push(part)
    }
    if (turn.at === -1 && turn.role === "system" && this.instructions === undefined) {
      this.instructions = textsOf(said)
      return
    }
    if (turn.role === "tool" && said.length > 0) {
      // Items that only Responses knows, for example results of its own tools.
      this.assistant({ ...turn, parts: said })
      said = []
    }
    if (said.length > 0 || own !== undefined) this.message(turn, said, own)
  }

  private assistant(turn: Turn): void {
    const own = itemOf(turn)
    if (own !== undefined && turn.parts.length === 0) this.items.push(own)
    let parts = turn.parts
    if (!this.isOwn && parts.some(({ type }) => type === "reasoning")) {
      parts = parts.filter(({ type }) => type !== "reasoning")
      this.account.drop("reasoning", "state")
    }
    this.items.push(...modelItems(parts, this.rules))
  }

  private message({ at, isBare, role }: Turn, parts: ReadonlyArray<Part>, own: JsonObject | undefined): void {
    const only = parts.length === 1 ? parts[0] : undefined
    const isWords = only?.type === "text" && isBare === true
    if (own === undefined) {
      const content = isWords ? only.text : this.pieces(parts, at)
      this.items.push({ type: "message", role: role === "tool" ? "user" : role, content })
    } else if (parts.length === 0 || (isWords && own.content === only.text)) this.items.push(own)
    else this.items.push({ ...own, content: isWords ? only.text : this.pieces(parts, at) })
  }

  private pieces(parts: ReadonlyArray<Part>, at: number): ReadonlyArray<JsonObject> {
    const pieces: Array<JsonObject> = []
    parts.forEach((part, place) => {
      const piece = inputPiece(part)
      if (piece !== undefined) pieces.push(piece)
      else if (part.type !== "reasoning") {
        this.account.lacks("meaning", this.pathOf(at, place), `${part.type} parts cannot be told to this provider`)
      }
    })
    return pieces
  }

  private result(part: ToolResultPart, turn: Turn): void {
    const own = itemOf(part)
    if (own !== undefined) {
      this.items.push(this.isOwn ? own : withoutId(own))
      return
    }
    const isText = part.content.every(({ type }) => type === "text")
    this.items.push({
      type: part.kind === "custom" ? "custom_tool_call_output" : "function_call_output",
      call_id: callIdOf(part.id ?? "call_0"),
      output: isText ? textsOf(part.content) : this.pieces(part.content, turn.at)
    })
  }
}

const withoutId = (item: JsonObject): JsonObject => {
  if (item.id === undefined) return item
  const { id: _, ...rest } = item
  return rest
}

/** The form of the answer as `text.format`; undefined where nothing is said. */
export const formatOf = ({ format }: Settings): JsonObject | undefined => {
  switch (format?.type) {
    case "text":
      return { type: "text" }
    case "json":
      return { type: "json_object" }
    case "schema": {
      const { description, name, schema, strict } = format
      return {
        type: "json_schema",
        name: name ?? "answer",
        ...(description === undefined ? {} : { description }),
        schema,
        ...(strict === undefined ? {} : { strict })
      }
    }
    default:
      return undefined
  }
}

const given = (fields: JsonObject): JsonObject => {
  const kept: Record<string, unknown> = {}
  for (const name in fields) if (fields[name] !== undefined) kept[name] = fields[name]
  return kept
}

const settingFields = (settings: Settings, extra: JsonObject, isForeign: boolean): JsonObject => {
  const { logprobs, maxOutput, reasoning } = settings
  const format = formatOf(settings)
  const text = { ...objectOf(extra.text), ...given({ format, verbosity: settings.verbosity }) }
  const effort = reasoning === undefined ? undefined : asEffort(reasoning)
  // How Anthropic's thoughts are shown is no word for a summary.
  const summary = isForeign && effort !== undefined && effort !== "none" ? "auto" : reasoning?.summary
  const shown = isForeign && effort === undefined ? undefined : summary
  const thinks = { ...objectOf(extra.reasoning), ...given({ effort, summary: shown }) }
  const include = Array.isArray(extra.include) ? extra.include : []
  const isAsked = logprobs !== undefined && (isForeign || extra.top_logprobs === undefined || extra.top_logprobs === 0)
  return given({
    max_output_tokens: maxOutput === undefined || !isForeign ? maxOutput : Math.max(leastOutput, maxOutput),
    temperature: settings.temperature,
    top_p: settings.topP,
    parallel_tool_calls: settings.parallelTools,
    user: settings.user,
    prompt_cache_key: settings.cacheKey,
    service_tier: settings.serviceTier,
    metadata: settings.metadata,
    text: Object.keys(text).length > 0 ? text : extra.text,
    reasoning: Object.keys(thinks).length > 0 ? thinks : extra.reasoning,
    include: isAsked ? [...include, logprobsIncluded] : extra.include,
    top_logprobs: typeof logprobs === "number" ? logprobs : extra.top_logprobs
  })
}

/** The path of a turn, or of a part of it, in a request. */
export const ownPath = (turn: number, part?: number): string => {
  if (turn < 0) return "instructions"
  return part === undefined ? `input[${turn}]` : `input[${turn}].content[${part}]`
}

/** Thoughts are kept by nobody, so they have to come along; models that have none refuse to be asked for them. */
const encrypted = ({ settings }: Conversation, model: string): JsonObject => {
  const include = [
    ...(ModelFamily.of({ provider: "openai", model }).reasons ? ["reasoning.encrypted_content"] : []),
    ...(settings.logprobs === undefined ? [] : [logprobsIncluded])
  ]
  return include.length === 0 ? {} : { include }
}

/** Writes a request. */
export const writeRequest = (
  conversation: Conversation,
  options: WriteOptions
): Either.Either<Written, ReadonlyArray<Problem>> => {
  const account = new Account(options.dropsMeaning)
  const { origin, settings, stream, toolChoice, tools, turns } = conversation
  const isForeign = origin !== "responses"
  const extra: JsonObject = isForeign ? {} : conversation.extra
  const pathOf = options.pathOf ?? ownPath
  const items = new Items(account, pathOf, options.knowsSignatures !== false)
  // Its own items are right as they stand, and what they go on from may be kept by the provider.
  for (const turn of isForeign ? inCallOrder(turns, account, pathOf) : turns) items.turn(turn)
  if (account.problems.length > 0) return Either.left(account.problems)
  const only = turns.find(({ at }) => at !== -1)
  const isBare = only?.extra?.responsesInput === true && items.items.length === 1
  const written = writeTools(tools)
  const body: JsonObject = {
    ...extra,
    ...(options.model === "" ? {} : { model: options.model }),
    ...(items.instructions === undefined ? {} : { instructions: items.instructions }),
    ...(items.items.length === 0 && !isForeign ? {} : { input: isBare ? textsOf(only.parts) : items.items }),
    ...(stream ? { stream: true } : {}),
    ...(written.length > 0 ? { tools: written } : {}),
    ...(toolChoice === undefined ? {} : { tool_choice: writeToolChoice(toolChoice, tools) }),
    ...settingFields(settings, extra, isForeign),
    // Nobody would ask for it again by its id.
    ...(isForeign ? { store: false, ...encrypted(conversation, options.model) } : {})
  }
  return Either.right({ body: given(body), dropped: account.dropped })
}
