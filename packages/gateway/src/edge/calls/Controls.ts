/**
 * What a request says about its own routing, in LiteLLM's body fields and headers and in ours: read, checked against what
 * the caller may do, and taken out of the body, so that none of it reaches a provider.
 */
import type { IncomingHttpHeaders } from "node:http"
import type { Dialect } from "@switchyard/core/Dialect"
import type { Members } from "@switchyard/core/ExactJson"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import { openAi } from "@switchyard/core/OpenAi"
import { isIn } from "@switchyard/core/StandIn"
import * as TraceContext from "@switchyard/core/TraceContext"
import { Either } from "effect"
import type { Requests } from "../../config/GatewayConfig.js"
import type { Refusal } from "../../errors/ErrorBody.js"
import type { Caller } from "../../keys/KeyRing.js"
import { type Control, ControlReader, maxTargets, type Problem, type Target } from "./controlReader.js"
import { ForeignFields, fateOf } from "./foreignFields.js"

/** Controls as body fields, with the header that says the same; `master` ones need the master key. */
export const controls: ReadonlyArray<Control> = [
  { field: "timeout", header: "timeout" },
  { field: "stream_timeout", header: "stream-timeout" },
  { field: "num_retries", header: "num-retries" },
  { field: "max_fallbacks", header: "max-fallbacks" },
  { field: "fallbacks", header: "fallbacks" },
  { field: "context_window_fallbacks" },
  { field: "content_policy_fallbacks" },
  { field: "disable_fallbacks", header: "disable-fallbacks" },
  { field: "tags", header: "tags" },
  { field: "priority", header: "priority" },
  { field: "cache", header: "cache" },
  { field: "allowed_model_region", header: "region" },
  { field: "session_id", header: "session" },
  { field: "specific_deployment", header: "deployment", master: true },
  { field: "cooldown_time", header: "cooldown-time", master: true },
  { field: "mock_response", master: true },
  { field: "mock_timeout", master: true },
  { field: "mock_testing_fallbacks", master: true },
  { field: "mock_testing_context_fallbacks", master: true },
  { field: "mock_testing_content_policy_fallbacks", master: true },
  { field: "mock_testing_rate_limit_error", master: true },
  { field: "include_fallback_errors" },
  { field: "drop_params" },
  { field: "additional_drop_params" },
  { field: "litellm_metadata" }
]

const byField = new Map(controls.map((control) => [control.field, control]))
const byHeader = new Map(
  controls.flatMap((control) => (control.header === undefined ? [] : [[control.header, control]]))
)

const ours = "x-switchyard-"
const theirs = "x-litellm-"

const invalid = (problems: ReadonlyArray<Problem>): LlmError =>
  new LlmError({
    reason: "InvalidRequest",
    code: "invalid_control",
    description: problems.map(({ expected, name }) => `${name}: expected ${expected}`).join("; ")
  })

/** Header fields that belong to one hop, name a credential, or are written by the gateway itself. */
const notForwarded = /^x-(.*api-key$|request-id|real-ip|forwarded|stainless|litellm|switchyard|should-retry)/

/** Headers that are a part of what is asked, by the dialect in which they are. */
const headersOf: Readonly<Record<string, ReadonlyArray<string>>> = {
  messages: ["idempotency-key", "anthropic-version", "anthropic-beta"],
  responses: ["idempotency-key", "openai-beta"]
}
const usualHeaders = ["idempotency-key"]

/** What the caller's headers add to the request that goes out. */
const outgoingHeaders = (
  headers: IncomingHttpHeaders,
  rules: Requests,
  dialect: string
): Record<string, string> | undefined => {
  let outgoing: Record<string, string> | undefined
  const add = (name: string, value: unknown): void => {
    if (typeof value !== "string") return
    outgoing ??= {}
    outgoing[name] = value
  }
  for (const name of headersOf[dialect] ?? usualHeaders) add(name, headers[name])
  if (rules.forwardHeaders !== true) return outgoing
  for (const name in headers) if (name.startsWith("x-") && !notForwarded.test(name)) add(name, headers[name])
  return outgoing
}

/** Takes the controls out of `metadata`, whose other fields are the provider's. */
const splitMetadata = (metadata: unknown): { readonly rest: JsonObject | undefined; readonly own: JsonObject } => {
  if (!isJsonObject(metadata)) return { rest: undefined, own: {} }
  const { session_id, tags, ...rest } = metadata
  return {
    rest: Object.keys(rest).length === 0 ? undefined : rest,
    own: { ...(tags === undefined ? {} : { tags }), ...(session_id === undefined ? {} : { session_id }) }
  }
}

const holdsControls = (field: string, value: unknown): boolean =>
  field === "metadata" && isJsonObject(value) && (value.tags !== undefined || value.session_id !== undefined)

/** Fields whose entries may be targets with payload fields of their own. */
const chains: ReadonlySet<string> = new Set(["fallbacks", "context_window_fallbacks", "content_policy_fallbacks"])

/** A chain with what is left of its targets; the same value where nothing was taken out. */
const cleanedChain = (value: unknown, path: string, foreign: ForeignFields): unknown => {
  if (!Array.isArray(value) || value.length > maxTargets) return value
  let changed = false
  const left = value.map((entry: unknown, index): unknown => {
    if (!isJsonObject(entry)) return entry
    const at = `${path}[${index}]`
    const cleaned =
      typeof entry.model === "string"
        ? foreign.ofTarget(entry, at)
        : Object.fromEntries(
            Object.entries(entry).map(([name, list]) => [
              name,
              cleanedChain(list, `${at}.${name.slice(0, 100)}`, foreign)
            ])
          )
    changed ||= cleaned !== entry
    return cleaned
  })
  return changed ? left : value
}

/** Takes the controls out of a request, and what no caller may say; the same body when it holds none, as most do. */
const collect = (
  body: JsonObject,
  headers: IncomingHttpHeaders,
  reader: ControlReader,
  foreign: ForeignFields,
  exact: Members | undefined
): JsonObject => {
  /** Of what was too long to be read only the beginning is known. */
  const isWhole = (field: string, value: unknown): boolean => {
    const member = exact?.get(field)
    return member === undefined || !("hasStandIn" in member && member.hasStandIn) || !isIn(JSON.stringify(value))
  }
  const take = (control: Pick<Control, "field" | "master">, root: string, name: string, value: unknown): void => {
    if (isWhole(root, value)) reader.take(control, name, value)
    else reader.problem(name, "less text")
  }
  let left: Record<string, unknown> | undefined
  for (const field in body) {
    const control = byField.get(field)
    const fate = control === undefined || field === "litellm_metadata" ? fateOf(field) : "leftOut"
    if (fate === "sent") continue
    const value = body[field]
    const kept = fate === "container" ? foreign.within(field, value) : undefined
    if (kept !== undefined && kept === value && control === undefined && !holdsControls(field, kept)) continue
    left ??= { ...body }
    if (control !== undefined) {
      delete left[field]
      take(control, field, field, chains.has(field) ? cleanedChain(value, field, foreign) : (kept ?? value))
    } else if (kept === undefined) {
      delete left[field]
      foreign.note(fate, field.slice(0, 100), value)
    } else if (holdsControls(field, kept)) {
      const { own, rest } = splitMetadata(kept)
      if (rest === undefined) delete left.metadata
      else left.metadata = rest
      for (const name in own) take({ field: name }, "metadata", `metadata.${name}`, own[name])
    } else {
      left[field] = kept
    }
  }
  for (const name in headers) {
    const isOurs = name.startsWith(ours)
    if (!isOurs && !name.startsWith(theirs)) continue
    const control = byHeader.get(name.slice(isOurs ? ours.length : theirs.length))
    if (control !== undefined) reader.takeText(control, name, String(headers[name]))
    else if (isOurs)
      reader.problem(name, `one of the headers ${[...byHeader.keys()].map((known) => ours + known).join(", ")}`)
  }
  return left ?? body
}

const notAllowed = (targets: ReadonlyArray<Target> | undefined, caller: Caller): string | undefined =>
  targets?.map((target) => (typeof target === "string" ? target : target.model)).find((model) => !caller.mayUse(model))

/** A place in line that the caller may have: a virtual key may stand back, and before others only as far as it is let. */
const priorityOf = (asked: number | undefined, { priority: bounds }: Caller, rules: Requests): number | undefined => {
  if (bounds === undefined) return asked ?? rules.priority
  const usual = rules.priority ?? 0
  const { max = Number.POSITIVE_INFINITY, min = Math.min(usual, max) } = bounds
  const given = Math.min(Math.max(asked ?? usual, min), max)
  return given === 0 && asked === undefined ? rules.priority : given
}

/** Overrides that came from the caller, who may lower what is configured; the master key may also raise it. */
const overridesOf = (
  reader: ControlReader,
  caller: Caller,
  rules: Requests,
  headers: IncomingHttpHeaders,
  dialect: string
): LlmRequest.RequestOverrides | undefined => {
  const overrides: { -readonly [K in keyof LlmRequest.RequestOverrides]: LlmRequest.RequestOverrides[K] } = {
    ...reader.overrides
  }
  const outgoing = outgoingHeaders(headers, rules, dialect)
  if (outgoing !== undefined) overrides.headers = outgoing
  const priority = priorityOf(overrides.priority, caller, rules)
  if (priority !== undefined) overrides.priority = priority
  if (rules.cacheOptIn === true && !reader.usesCache) overrides.cache = { noCache: true, noStore: true }
  if (overrides.fault !== undefined) {
    // A drill's answer must never be anybody else's, and its failures must close nothing for others.
    overrides.cache = { noCache: true, noStore: true }
    overrides.cooldown ??= 0
  }
  for (const _ in overrides) return caller.isMaster ? overrides : { ...overrides, lowerOnly: true }
  return undefined
}

/** Of a stream, `timeout` bounds the silences that `stream_timeout` does not: cut off amid its words it is worth nothing. */
const boundSilences = (reader: ControlReader): void => {
  const { timeout, ...rest } = reader.overrides
  if (timeout !== undefined) reader.overrides = { ...rest, silenceTimeout: timeout }
}

/** What a path says of a request. */
export interface Asked {
  readonly operation: LlmRequest.Operation
  /** The language of the body. Default: OpenAI's. */
  readonly dialect?: Dialect | undefined
  /** Beats the body's, or stands in its place. */
  readonly model?: string | undefined
  readonly stream?: boolean | undefined
}

/** Claude Code's user ids end in the id of a session, or hold it as JSON. */
const sessionInUser = /(?:_session_|"session_id": ?")([\w-]{8,64})/

/** What a payload itself says of its session. */
const sessionIn = (dialect: Dialect, { metadata, prompt_cache_key }: JsonObject): string | undefined => {
  if (typeof prompt_cache_key === "string") return prompt_cache_key
  if (dialect.name !== "messages" || !isJsonObject(metadata)) return undefined
  return typeof metadata.user_id === "string" ? sessionInUser.exec(metadata.user_id)?.[1] : undefined
}

/** A request as the tower takes it. */
export interface Controlled {
  readonly request: LlmRequest.LlmRequest
  /** The caller asked for usage at the end of the stream, or the configuration does. */
  readonly streamUsage: boolean
  /** Fields that were left out although the caller meant something by them: its own credentials and headers. */
  readonly leftOut: ReadonlyArray<string>
}

const refuse = (problem: LlmError | Refusal): Either.Either<never, LlmError | Refusal> => Either.left(problem)

const forbidden = (model: string): Refusal => ({
  status: 403,
  code: "model_not_allowed",
  param: "model",
  message: `this key may not use the model ${JSON.stringify(model.slice(0, 100))}`
})

const notTheCallers = (fields: ReadonlyArray<string>): Refusal => ({
  status: 400,
  code: "field_not_allowed",
  param: fields[0] ?? "",
  message: `where a request goes, with whose credentials, and who is told of it is not its own to say; leave out ${fields.join(", ")}`
})

const needsMaster = (name: string): Refusal => ({
  status: 403,
  code: "master_key_required",
  param: name,
  message: `${name} may only be set with the master key`
})

/**
 * Makes the request of a body and its headers. Refuses (400) fields that say where it goes or with whose credentials, code
 * `field_not_allowed` (all named at once); (403) controls that the caller may not use, code
 * `master_key_required`, and models that its key does not cover, `model_not_allowed`. Fails with `InvalidRequest`, code
 * `invalid_control` for values that make no sense (all named at once), `invalid_request` for a body that is none.
 */
export const read = (
  { dialect = openAi, model: named, operation, stream: streamed }: Asked,
  body: JsonObject,
  headers: IncomingHttpHeaders,
  caller: Caller,
  rules: Requests,
  exact?: Members
): Either.Either<Controlled, LlmError | Refusal> => {
  const reader = new ControlReader()
  const foreign = new ForeignFields()
  let payload = collect(body, headers, reader, foreign, exact)
  const isInBody = named === undefined
  if (foreign.refused.length > 0) return refuse(notTheCallers(foreign.refused))
  if (rules.model !== undefined && isInBody) payload = { ...payload, model: rules.model }
  const beyond = caller.isMaster ? undefined : reader.masterOnly
  if (beyond !== undefined) return refuse(needsMaster(beyond))
  if (reader.problems.length > 0) return refuse(invalid(reader.problems))
  const said = isInBody ? dialect.request.model(payload) : (rules.model ?? named)
  const model = typeof said === "string" ? (caller.meant?.(said) ?? said) : said
  if (isInBody && model !== said) payload = { ...payload, model }
  const stream = streamed ?? dialect.request.streams(payload, operation)
  if (typeof model === "string" && !caller.mayUse(model)) return refuse(forbidden(model))
  const { contentPolicyFallbacks, contextWindowFallbacks, fallbacks } = reader.fallbacksFor(model)
  const barred =
    notAllowed(fallbacks, caller) ??
    notAllowed(contextWindowFallbacks, caller) ??
    notAllowed(contentPolicyFallbacks, caller)
  if (barred !== undefined) return refuse(forbidden(barred))
  if (fallbacks !== undefined) reader.overrides.fallbacks = fallbacks
  if (contextWindowFallbacks !== undefined) reader.overrides.contextWindowFallbacks = contextWindowFallbacks
  if (contentPolicyFallbacks !== undefined) reader.overrides.contentPolicyFallbacks = contentPolicyFallbacks
  if (stream) boundSilences(reader)
  const overrides = overridesOf(reader, caller, rules, headers, dialect.name)
  const tags = rules.tags === "ignore" ? [] : caller.tags.length === 0 ? reader.tags : [...caller.tags, ...reader.tags]
  const demands =
    rules.tagMatch === "all" && tags.length > 0 ? { ...reader.demands, tagMatch: "all" as const } : reader.demands
  const session = reader.sessionKey ?? sessionIn(dialect, payload)
  const trace = TraceContext.fromHeaders(headers)
  const decoded = LlmRequest.decodeIn(dialect, operation, payload, {
    model: isInBody ? undefined : String(model),
    stream: streamed,
    tags,
    demands,
    sessionKey: session,
    caller: caller.name,
    overrides,
    trace,
    exact,
    forwards: true
  })
  if (Either.isLeft(decoded)) return refuse(decoded.left)
  const asked = isJsonObject(payload.stream_options) && payload.stream_options.include_usage === true
  return Either.right({
    request: decoded.right,
    streamUsage: asked || rules.streamUsage === true,
    leftOut: foreign.told
  })
}

/** Names that never go upstream, for documentation. */
export const consumed: ReadonlyArray<string> = [
  ...controls.map(({ field }) => field),
  "metadata.tags",
  "metadata.session_id"
]

export type { Target }
