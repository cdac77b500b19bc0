/**
 * A deployment: one concrete endpoint (provider, provider model, key, base URL) with its limits, weight and tags.
 * Several deployments form a model group, the name that callers ask for.
 */
import { type Brand, Duration, Either, Redacted } from "effect"
import { ConfigError, type ConfigIssue, issue } from "../errors/ConfigError.js"
import * as Field from "../errors/Field.js"
import type { Reason } from "../errors/LlmError.js"
import { Auth, concealed, isSame } from "./deploymentAuth.js"
import { DeploymentConfig, defaults, Tls } from "./deploymentConfig.js"

export { clear, secretsOf } from "./deploymentAuth.js"
export { Auth, DeploymentConfig, Tls }

/** The stable name of a deployment: all state is kept under it, so it survives reloads and re-ordering. */
export type DeploymentId = string & Brand.Brand<"DeploymentId">
/** Brands a string as a deployment id. */
export const DeploymentId = (id: string): DeploymentId => id as DeploymentId

/** A decoded deployment: plain data, durations in ms, defaults filled in. */
export interface Deployment {
  readonly id: DeploymentId
  readonly group: string
  readonly model: string
  /** What the model is publicly known as, where `model` does not say. */
  readonly baseModel: string | undefined
  readonly provider: string
  readonly protocol: string
  /** In which of its API's dialects it is always asked; undefined for the caller's where it has that. */
  readonly dialect: DeploymentConfig["dialect"]
  readonly apiVersion: string | undefined
  readonly project: string | undefined
  readonly location: string | undefined
  readonly auth: Auth | undefined
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
  /** What callers may ask of it beside models; undefined for nothing. */
  readonly passThrough: DeploymentConfig["passThrough"]
  readonly inputPrice: number | undefined
  readonly cachedInputPrice: number | undefined
  readonly outputPrice: number | undefined
  /** USD */
  readonly perImage?: number | undefined
  readonly imagePrices?: Readonly<Record<string, number>> | undefined
  readonly perSecond?: number | undefined
  readonly perCharacter?: number | undefined
  readonly perSearch?: number | undefined
  /** From 0 to 1. */
  readonly batchDiscount?: number | undefined
  readonly streamUsage: boolean
  readonly onMalformedEvent: "cut" | "skip" | undefined
  readonly dropParams: boolean
  readonly additionalDropParams: ReadonlyArray<string>
  readonly onMissingFinish: "cut" | "accept" | undefined
  readonly defaults: Readonly<Record<string, unknown>>
}

const keyText = ({ apiKey }: Deployment): string | undefined =>
  apiKey === undefined ? undefined : Redacted.value(apiKey)

/** Whether two deployments are one account's: the same provider at the same place, by the same key. */
export const isSameAccount = (a: Deployment, b: Deployment): boolean =>
  a === b ||
  a.id === b.id ||
  (a.provider === b.provider &&
    a.protocol === b.protocol &&
    a.baseUrl === b.baseUrl &&
    a.project === b.project &&
    a.location === b.location &&
    keyText(a) === keyText(b) &&
    isSame(a.auth, b.auth))

const ms = (value: Duration.DurationInput | undefined): number | undefined =>
  value === undefined ? undefined : Duration.toMillis(value)

/** Without the white space that files of secrets end with. */
const keyOf = (key: DeploymentConfig["apiKey"]): Redacted.Redacted<string> | undefined => {
  if (key === undefined) return undefined
  const text = typeof key === "string" ? key : Redacted.value(key)
  const trimmed = text.trim()
  return typeof key === "string" || trimmed !== text ? Redacted.make(trimmed) : key
}

const unitNames = ["perImage", "imagePrices", "perSecond", "perCharacter", "perSearch", "batchDiscount"] as const

/** Prices of units and of batches: few deployments have any. */
const unitPricesIn = (config: DeploymentConfig): Partial<Deployment> =>
  Object.fromEntries(unitNames.flatMap((name) => (config[name] === undefined ? [] : [[name, config[name]]])))

const fromConfig = (config: DeploymentConfig): Deployment => ({
  id: DeploymentId(config.id),
  group: config.group,
  model: config.model,
  baseModel: config.baseModel,
  provider: config.provider ?? defaults.provider,
  protocol: config.protocol ?? defaults.protocol,
  dialect: config.dialect,
  apiVersion: config.apiVersion,
  project: config.project,
  location: config.location,
  auth: config.auth === undefined ? undefined : concealed(config.auth),
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
  passThrough: config.passThrough,
  inputPrice: config.inputPrice,
  cachedInputPrice: config.cachedInputPrice,
  outputPrice: config.outputPrice,
  ...unitPricesIn(config),
  onMalformedEvent: config.onMalformedEvent,
  streamUsage: config.streamUsage ?? config.additionalDropParams?.includes("stream_options") !== true,
  dropParams: config.dropParams ?? defaults.dropParams,
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
