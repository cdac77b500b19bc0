/**
 * A deployment: one concrete endpoint (provider, provider model, key, base URL) with its limits, weight and tags.
 * Several deployments form a model group, the name that callers ask for.
 */
import { type Brand, Duration, Either, Redacted, Schema } from "effect"
import { ConfigError, type ConfigIssue, issue } from "../errors/ConfigError.js"
import * as Field from "../errors/Field.js"
import { Reason } from "../errors/LlmError.js"

/** The stable name of a deployment: all state is kept under it, so it survives reloads and re-ordering. */
export type DeploymentId = string & Brand.Brand<"DeploymentId">
/** Brands a string as a deployment id. */
export const DeploymentId = (id: string): DeploymentId => id as DeploymentId

/** How a provider's certificate is checked. */
export const Tls = Schema.Struct({
  /** Whether it is checked at all. False lets anybody on the way read what is sent, keys too. Default true. */
  verify: Schema.optional(Schema.Boolean),
  /** A file of CA certificates (PEM) that are trusted in place of Node's own list. */
  ca: Schema.optional(Field.text)
})
/** How a provider's certificate is checked. */
export type Tls = typeof Tls.Type

/** What a deployment is made from. Every key but `id`, `group` and `model` may be left out. */
export const DeploymentConfig = Schema.Struct({
  /** Stable and unique; state and metrics are kept under it. */
  id: Field.text,
  /** The model group that callers name. */
  group: Field.text,
  /** The provider's own model name, sent upstream. */
  model: Field.text,
  /**
   * The model's public name, where `model` is a name of one's own, as Azure's are: for example `gpt-5`, or `azure/gpt-5`. It
   * tells which parameters the model takes, whether it reasons, its list price and its context window. Unset: by `model`.
   */
  baseModel: Schema.optional(Field.text),
  /** A label for metrics and reports, for example `openai`. Default: `openai`. */
  provider: Schema.optional(Field.text),
  /** Which base service speaks to it. Default: `openai` (OpenAI-compatible). */
  protocol: Schema.optional(Field.text),
  /** Base URL of the API, for example `https://api.openai.com/v1`. */
  baseUrl: Schema.optional(Field.httpUrl),
  /** The credential; kept `Redacted`, so that it never shows in logs or errors. */
  apiKey: Schema.optional(
    Schema.Union(Schema.String, Schema.RedactedFromSelf(Schema.String)).annotations({
      message: () => ({ message: "a string", override: true }),
      jsonSchema: { type: "string" }
    })
  ),
  /** How the provider's certificate is checked. Unset: as the transport does. */
  tls: Schema.optional(Tls),
  /** Extra request headers. */
  headers: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.String })),
  /** Share of traffic for weighted strategies: any finite number of at least 0. Unset: by rpm, else tpm, else even. */
  weight: Schema.optional(Field.nonNegative),
  /** Requests per 60 s. Unset: no limit. */
  rpm: Schema.optional(Field.count),
  /** Tokens per 60 s, input and output. Unset: no limit. */
  tpm: Schema.optional(Field.count),
  /** Calls in flight at once, streams included until they end. Unset: no limit. */
  maxParallel: Schema.optional(Field.count),
  /** Total time of one attempt that does not stream. Unset: only the request's deadline bounds it. */
  timeout: Schema.optional(Field.duration),
  /** Total time of one streaming attempt. Unset: only the request's deadline bounds it, and its silences. */
  streamTimeout: Schema.optional(Field.duration),
  /** Time to the first token of a stream. Unset: the Timeouts layer's rule. */
  firstTokenTimeout: Schema.optional(Field.duration),
  /** Silence allowed between two chunks of a stream. Unset: the Timeouts layer's option. */
  idleTimeout: Schema.optional(Field.duration),
  /**
   * The longest silence of a stream: it bounds the time to the first token from above (as it is, where there is nowhere else
   * to go), and is the time between two chunks. `firstTokenTimeout` and `idleTimeout` beat it. Unset: the Timeouts layer's.
   */
  silenceTimeout: Schema.optional(Field.duration),
  /** Retries for a request that fails here; overrides the router's. */
  maxRetries: Schema.optional(Field.retries),
  /** The first cooldown after failures here; overrides the Cooldown layer's `duration`. 0: it never cools. */
  cooldown: Schema.optional(Field.durationOrZero),
  /** Failures within the breaker's window that are borne here; one more opens it. Overrides its counting rules. */
  allowedFails: Schema.optional(Field.count),
  /** Retries by the reason of the latest error, for a request that fails here; beats the group's and the router's. */
  retryPolicy: Schema.optional(Schema.partial(Schema.Record({ key: Reason, value: Field.retries }))),
  /** `PriorityBased` and `Ordered`: lower first, unset last. */
  priority: Schema.optional(Field.finite),
  /** Tier: lower tiers are tried first by every strategy, unset last. */
  order: Schema.optional(Field.finite),
  tags: Schema.optional(Schema.Array(Field.text)),
  region: Schema.optional(Field.text),
  /** Input tokens that fit. Unset: what is publicly known of the model, with some doubt; else unknown. */
  contextWindow: Schema.optional(Field.count),
  /** What the model can do, for example `tools`, `vision`, `json_schema`, `reasoning`. Unset means unknown. */
  capabilities: Schema.optional(Schema.Array(Field.text)),
  /** What it may be asked for, where that is not everything: a model that only completes texts cannot chat. Default: all. */
  operations: Schema.optional(Schema.Array(Schema.Literal("chat", "completion", "embeddings"))),
  /** USD per million input tokens; 0 is free, unset is unknown. */
  inputPrice: Schema.optional(Field.price),
  /** USD per million input tokens from the provider's cache. Unset: the input price. */
  cachedInputPrice: Schema.optional(Field.price),
  /** USD per million output tokens. */
  outputPrice: Schema.optional(Field.price),
  /**
   * Whether usage is asked for in every stream (`stream_options`). False: no `stream_options` are sent, not even the
   * caller's, and usage that the provider does not tell is estimated. Default true, until a provider refuses them.
   */
  streamUsage: Schema.optional(Schema.Boolean),
  /**
   * What an event of a stream that is no JSON object does: `cut` (default) fails the stream, as it may have held text;
   * `skip` counts it and goes on.
   */
  onMalformedEvent: Schema.optional(
    Schema.Literal("cut", "skip").annotations({ message: () => ({ message: '"cut" or "skip"', override: true }) })
  ),
  /**
   * Whether parameters that the model's family is known to refuse are left out, for example `temperature` of a model that
   * thinks. Default false: they go on, and the provider's error with them. A request may say otherwise.
   */
  dropParams: Schema.optional(Schema.Boolean),
  /** Parameters that are always left out, also parts of them: `stream_options`, `tools[*].function.strict`. */
  additionalDropParams: Schema.optional(Schema.Array(Field.text)),
  /**
   * What a stream whose `[DONE]` comes without a finish reason is: `cut` off (default), or whole, with a finish reason added
   * (`accept`), for providers that never send one.
   */
  onMissingFinish: Schema.optional(
    Schema.Literal("cut", "accept").annotations({ message: () => ({ message: '"cut" or "accept"', override: true }) })
  ),
  /** Payload fields that this deployment adds where the request does not set them, for example `temperature`. */
  defaults: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
})
/** What a deployment is made from. */
export type DeploymentConfig = typeof DeploymentConfig.Type

/** A decoded deployment: plain data, durations in ms, defaults filled in. */
export interface Deployment {
  readonly id: DeploymentId
  readonly group: string
  readonly model: string
  /** What the model is publicly known as, where `model` does not say. */
  readonly baseModel: string | undefined
  readonly provider: string
  readonly protocol: string
  readonly baseUrl: string | undefined
  readonly apiKey: Redacted.Redacted<string> | undefined
  readonly tls: Tls | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly weight: number | undefined
  readonly rpm: number | undefined
  readonly tpm: number | undefined
  readonly maxParallel: number | undefined
  /** ms */
  readonly timeout: number | undefined
  /** ms */
  readonly streamTimeout: number | undefined
  /** ms */
  readonly firstTokenTimeout: number | undefined
  /** ms */
  readonly idleTimeout: number | undefined
  /** ms */
  readonly silenceTimeout: number | undefined
  readonly maxRetries: number | undefined
  /** ms; 0 means that it never cools. */
  readonly cooldown: number | undefined
  readonly allowedFails: number | undefined
  readonly retryPolicy: { readonly [reason in Reason]?: number | undefined }
  readonly priority: number | undefined
  readonly order: number | undefined
  readonly tags: ReadonlyArray<string>
  readonly region: string | undefined
  readonly contextWindow: number | undefined
  readonly capabilities: ReadonlySet<string> | undefined
  /** What it may be asked for; undefined for all. */
  readonly operations: ReadonlySet<string> | undefined
  readonly inputPrice: number | undefined
  readonly cachedInputPrice: number | undefined
  readonly outputPrice: number | undefined
  readonly streamUsage: boolean
  readonly onMalformedEvent: "cut" | "skip" | undefined
  readonly dropParams: boolean
  readonly additionalDropParams: ReadonlyArray<string>
  readonly onMissingFinish: "cut" | "accept" | undefined
  readonly defaults: Readonly<Record<string, unknown>>
}

const ms = (value: Duration.DurationInput | undefined): number | undefined =>
  value === undefined ? undefined : Duration.toMillis(value)

/** Without the white space that files of secrets end with. */
const keyOf = (key: DeploymentConfig["apiKey"]): Redacted.Redacted<string> | undefined => {
  if (key === undefined) return undefined
  const text = typeof key === "string" ? key : Redacted.value(key)
  const trimmed = text.trim()
  return typeof key === "string" || trimmed !== text ? Redacted.make(trimmed) : key
}

const fromConfig = (config: DeploymentConfig): Deployment => ({
  id: DeploymentId(config.id),
  group: config.group,
  model: config.model,
  baseModel: config.baseModel,
  provider: config.provider ?? "openai",
  protocol: config.protocol ?? "openai",
  baseUrl: config.baseUrl,
  apiKey: keyOf(config.apiKey),
  tls: config.tls,
  headers: config.headers ?? {},
  weight: config.weight,
  rpm: config.rpm,
  tpm: config.tpm,
  maxParallel: config.maxParallel,
  timeout: ms(config.timeout),
  streamTimeout: ms(config.streamTimeout),
  firstTokenTimeout: ms(config.firstTokenTimeout),
  idleTimeout: ms(config.idleTimeout),
  silenceTimeout: ms(config.silenceTimeout),
  maxRetries: config.maxRetries,
  cooldown: ms(config.cooldown),
  allowedFails: config.allowedFails,
  priority: config.priority,
  retryPolicy: config.retryPolicy ?? {},
  order: config.order,
  tags: config.tags ?? [],
  region: config.region,
  contextWindow: config.contextWindow,
  capabilities: config.capabilities === undefined ? undefined : new Set(config.capabilities),
  operations: config.operations === undefined ? undefined : new Set(config.operations),
  inputPrice: config.inputPrice,
  cachedInputPrice: config.cachedInputPrice,
  outputPrice: config.outputPrice,
  onMalformedEvent: config.onMalformedEvent,
  streamUsage: config.streamUsage ?? config.additionalDropParams?.includes("stream_options") !== true,
  dropParams: config.dropParams ?? false,
  additionalDropParams: config.additionalDropParams ?? [],
  onMissingFinish: config.onMissingFinish,
  defaults: config.defaults ?? {}
})

/**
 * Decodes a list of deployments. The list must not be empty, ids must be unique; every problem of every entry is
 * reported at once.
 */
export const decodeAll = (
  input: unknown,
  path = "deployments"
): Either.Either<ReadonlyArray<Deployment>, ConfigError> => {
  if (!Array.isArray(input) || input.length === 0) {
    return Either.left(
      new ConfigError({ issues: [issue(path, Array.isArray(input) ? [] : input, "a list of at least one deployment")] })
    )
  }
  const issues: Array<ConfigIssue> = []
  const deployments: Array<Deployment> = []
  const firstIndex = new Map<string, number>()
  input.forEach((entry: unknown, index) => {
    const decoded = Field.decode(DeploymentConfig, entry, `${path}[${index}]`)
    if (Either.isLeft(decoded)) {
      issues.push(...decoded.left.issues)
    } else {
      deployments.push(fromConfig(decoded.right))
    }
    const id: unknown = (entry as { readonly id?: unknown } | null)?.id
    if (typeof id !== "string") return
    const first = firstIndex.get(id)
    if (first === undefined) firstIndex.set(id, index)
    else issues.push(issue(`${path}[${index}].id`, id, `an id of its own (${path}[${first}] has this one)`))
  })
  return issues.length === 0 ? Either.right(deployments) : Either.left(new ConfigError({ issues }))
}

/**
 * Makes one deployment from literal options, for code that builds its own list.
 *
 * Throws a {@link ConfigError} when the options are wrong; use {@link decodeAll} for input from outside.
 *
 * @example
 * ```ts
 * import * as Deployment from "@switchyard/core/Deployment"
 *
 * const eu = Deployment.make({ id: "eu", group: "gpt-4o", model: "gpt-4o", rpm: 500, tags: ["eu"] })
 * ```
 */
export const make = (config: DeploymentConfig): Deployment =>
  Either.getOrThrowWith(decodeAll([config]), (error) => error)[0] as Deployment
