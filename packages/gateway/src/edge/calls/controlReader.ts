import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { CacheControl, Demands, FallbackTarget, RequestOverrides } from "@switchyard/core/LlmRequest"

/** A control: its body field, and the end of the headers' names that say the same. */
export interface Control {
  readonly field: string
  readonly header?: string
  /** Only the master key may set it. */
  readonly master?: boolean
}

/** A control whose value makes no sense. */
export interface Problem {
  readonly name: string
  readonly expected: string
}

/** A fallback target as the tower takes it. */
export type Target = string | FallbackTarget

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

const maxSeconds = 86_400
const maxTags = 64
/** Targets of one chain that a request may bring. */
export const maxTargets = 32

/** As people write numbers: what else JavaScript takes for one (`0x10`, `1e3`, `Infinity`) is a mistake in a text. */
const decimal = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*$/

const number = (value: unknown): number | undefined => {
  const read = typeof value === "string" && decimal.test(value) ? Number(value) : value
  return typeof read === "number" && Number.isFinite(read) ? read : undefined
}

const seconds = (value: unknown): number | undefined => {
  const read = number(value)
  return read !== undefined && read >= 0 && read <= maxSeconds ? read * 1000 : undefined
}

/** The best and the worst place in line that a request may ask for. */
const mostPriority = 1_000_000

const place = (value: unknown): number | undefined => {
  const read = number(value)
  return read !== undefined && Math.abs(read) <= mostPriority ? read : undefined
}

const count = (value: unknown): number | undefined => {
  const read = number(value)
  return read !== undefined && Number.isInteger(read) && read >= 0 && read <= 100 ? read : undefined
}

const boolean = (value: unknown): boolean | undefined =>
  value === true || value === "true" ? true : value === false || value === "false" ? false : undefined

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" && value.length <= 1000 ? value : undefined

const isText = (value: unknown): value is string => text(value) !== undefined

/** One text stands for a list of itself: a value of OpenAI's `metadata` is always a text. An empty one says nothing. */
const texts = (value: unknown): ReadonlyArray<string> | undefined =>
  typeof value === "string"
    ? value === ""
      ? []
      : isText(value)
        ? [value]
        : undefined
    : Array.isArray(value) && value.length <= maxTags && value.every(isText)
      ? value
      : undefined

const listed = (value: string): ReadonlyArray<string> =>
  value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")

/** A target by name, or with payload fields of its own. */
const target = (value: unknown): Target | undefined => {
  if (isText(value)) return value
  if (!isJsonObject(value) || !isText(value.model)) return undefined
  const { model, ...overrides } = value
  return Object.keys(overrides).length === 0 ? model : { model, overrides }
}

const targets = (values: ReadonlyArray<unknown>): ReadonlyArray<Target> | undefined => {
  const read = values.map(target)
  return read.every((value) => value !== undefined) ? read : undefined
}

/** LiteLLM's map of lists: `[{ group: [targets] }]`. */
const isMap = (value: unknown): value is JsonObject =>
  isJsonObject(value) && typeof value.model !== "string" && Object.values(value).every(Array.isArray)

/** Collects the controls of one request; problems too, so that all can be told at once. */
export class ControlReader {
  overrides: Mutable<RequestOverrides> = {}
  readonly problems: Array<Problem> = []
  demands: Demands = {}
  tags: ReadonlyArray<string> = []
  sessionKey: string | undefined
  /** The first control that needs the master key. */
  masterOnly: string | undefined
  /** The request asks for the cache, where that is needed. */
  usesCache = false
  private readonly chains = new Map<string, ReadonlyArray<unknown>>()

  problem(name: string, expected: string): void {
    this.problems.push({ name, expected })
  }

  /** Takes a body field; `null` is as good as absent. */
  take(control: Control, name: string, value: unknown): void {
    if (value === null || value === undefined) return
    if (control.master === true) this.masterOnly ??= name
    this.read(control.field, name, value)
  }

  /** Takes a header: lists are separated by commas. */
  takeText(control: Control, name: string, value: string): void {
    if (control.master === true) this.masterOnly ??= name
    const { field } = control
    if (field === "tags" || field === "fallbacks") this.read(field, name, listed(value))
    else if (field === "cache") this.read(field, name, cacheHeader(value))
    else this.read(field, name, value)
  }

  /** The request's own chains for a model; where a list is keyed by group, only that group's. */
  fallbacksFor(
    model: unknown
  ): Pick<RequestOverrides, "fallbacks" | "contextWindowFallbacks" | "contentPolicyFallbacks"> {
    const of = (field: string) => this.chainFor(field, model)
    const fallbacks = of("fallbacks")
    const contextWindowFallbacks = of("context_window_fallbacks")
    const contentPolicyFallbacks = of("content_policy_fallbacks")
    return {
      ...(fallbacks === undefined ? {} : { fallbacks }),
      ...(contextWindowFallbacks === undefined ? {} : { contextWindowFallbacks }),
      ...(contentPolicyFallbacks === undefined ? {} : { contentPolicyFallbacks })
    }
  }

  private chainFor(field: string, model: unknown): ReadonlyArray<Target> | undefined {
    const given = this.chains.get(field)
    if (given === undefined) return undefined
    if (given.length > 0 && given.every(isMap)) {
      const own = given.find((entry) => typeof model === "string" && Object.hasOwn(entry, model))
      const any = own === undefined ? given.find((entry) => Object.hasOwn(entry, "*")) : undefined
      const list = own === undefined ? any?.["*"] : own[String(model)]
      return Array.isArray(list) ? targets(list) : undefined
    }
    return targets(given)
  }

  private read(field: string, name: string, value: unknown): void {
    const need = <A>(read: A | undefined, expected: string, use: (value: A) => void): void => {
      if (read === undefined) this.problem(name, expected)
      else use(read)
    }
    const { overrides } = this
    switch (field) {
      case "timeout":
        return need(seconds(value) || undefined, "a number of seconds above 0", (ms) => {
          overrides.timeout = ms
        })
      case "stream_timeout":
        return need(seconds(value) || undefined, "a number of seconds above 0", (ms) => {
          overrides.firstTokenTimeout = ms
          overrides.idleTimeout = ms
        })
      case "num_retries":
        return need(count(value), "a whole number from 0 to 100", (retries) => {
          overrides.maxRetries = retries
        })
      case "max_fallbacks":
        return need(count(value), "a whole number from 0 to 100", (hops) => {
          overrides.maxFallbacks = hops
        })
      case "disable_fallbacks":
        return need(boolean(value), "true or false", (disabled) => {
          overrides.disableFallbacks = disabled
        })
      case "fallbacks":
      case "context_window_fallbacks":
      case "content_policy_fallbacks":
        return this.readChain(field, name, value)
      case "tags":
        return need(texts(value), `a string, or a list of at most ${maxTags} strings`, (tags) => {
          this.tags = this.tags.length === 0 ? tags : [...this.tags, ...tags]
        })
      case "session_id":
      case "session":
        return need(text(value), "a string", (key) => {
          this.sessionKey = key
        })
      case "priority":
        return need(place(value), `a number from -${mostPriority} to ${mostPriority}`, (priority) => {
          overrides.priority = priority
        })
      case "allowed_model_region":
        return need(text(value), "a region's name", (region) => {
          this.demands = { ...this.demands, region }
        })
      case "specific_deployment":
        // LiteLLM's field says that `model` is a deployment's id already, which is how names are read anyway.
        if (typeof value === "boolean") return
        return need(text(value), "a deployment's id", (deployment) => {
          this.demands = { ...this.demands, deployment }
        })
      case "cooldown_time":
        return need(seconds(value), "a number of seconds of at least 0", (ms) => {
          overrides.cooldown = ms
        })
      case "drop_params":
        return need(boolean(value), "true or false", (drop) => {
          overrides.dropParams = drop
        })
      case "additional_drop_params":
        return need(texts(value), `a list of at most ${maxTags} names of parameters`, (names) => {
          overrides.additionalDropParams = names
        })
      case "cache":
        return this.readCache(name, value)
      case "litellm_metadata":
        if (isJsonObject(value) && value.tags !== undefined) this.read("tags", `${name}.tags`, value.tags)
        return
      case "include_fallback_errors":
        // Every final error lists its attempts.
        return
      default:
        return this.readMock(field, name, value)
    }
  }

  private readChain(field: string, name: string, value: unknown): void {
    const isList = Array.isArray(value) && value.length <= maxTargets
    const lists =
      isList && value.length > 0 && value.every(isMap) ? value.flatMap((map) => Object.values(map)) : [value]
    if (
      isList &&
      lists.every((list) => Array.isArray(list) && list.length <= maxTargets && targets(list) !== undefined)
    ) {
      this.chains.set(field, value)
    } else {
      this.problem(name, `a list of at most ${maxTargets} models, or of { group: [models] }`)
    }
  }

  private readCache(name: string, value: unknown): void {
    if (!isJsonObject(value)) return this.problem(name, 'an object like {"no-cache": true, "ttl": 60}')
    const on = (field: string) => boolean(value[field]) === true
    const ttl = value.ttl === undefined || value.ttl === null ? undefined : seconds(value.ttl)
    if (value.ttl !== undefined && value.ttl !== null && ttl === undefined)
      return this.problem(`${name}.ttl`, "a number of seconds")
    const cache: CacheControl = {
      ...(on("no-cache") ? { noCache: true } : {}),
      ...(on("no-store") ? { noStore: true } : {}),
      ...(ttl === undefined ? {} : { ttl })
    }
    this.usesCache ||= on("use-cache")
    this.overrides.cache = cache
  }

  private readMock(field: string, name: string, value: unknown): void {
    const { overrides } = this
    if (field === "mock_response") {
      const answer = text(value)
      if (answer === undefined) this.problem(name, "a text of at most 1000 characters")
      else overrides.fault = { ...overrides.fault, answer }
      return
    }
    const isOn = boolean(value)
    if (isOn === undefined) return this.problem(name, "true or false")
    if (!isOn) return
    const reasons = {
      mock_timeout: "Timeout",
      mock_testing_fallbacks: "Unavailable",
      mock_testing_context_fallbacks: "ContextWindowExceeded",
      mock_testing_content_policy_fallbacks: "ContentPolicyViolation",
      mock_testing_rate_limit_error: "RateLimited"
    } as const
    const fail = reasons[field as keyof typeof reasons]
    overrides.fault = { ...overrides.fault, fail }
  }
}

/** `no-cache, ttl=60` as the body would say it. */
const cacheHeader = (value: string): JsonObject =>
  Object.fromEntries(
    listed(value).map((part) => {
      const [name = "", given] = part.split("=", 2)
      return [name.trim().toLowerCase(), given === undefined ? true : given.trim()]
    })
  )
