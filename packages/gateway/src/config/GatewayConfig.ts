/**
 * The gateway's own settings: the router's options by their names, and beside them the server, the keys and the rules for
 * requests. A LiteLLM file is translated to these.
 */
import { ConfigError, type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import { DeploymentConfig, Tls } from "@switchyard/core/Deployment"
import * as Field from "@switchyard/core/Field"
import { originOf } from "@switchyard/core/Origin"
import * as Providers from "@switchyard/providers/Providers"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import * as Router from "@switchyard/router/Router"
import * as Strategies from "@switchyard/router/RoutingStrategy/Names"
import { SpendLimit } from "@switchyard/router/SpendWindows"
import { isStack } from "@switchyard/router/Stack"
import { Either, Layer, Redacted, Schema } from "effect"
import { secretIssues } from "./callerSecrets.js"
import { refusedKeys } from "./priceFindings.js"

/** A string of the file that nobody may read back. */
const secret = Schema.Union(Field.text, Schema.RedactedFromSelf(Schema.String)).annotations({
  message: () => ({ message: "a string that is not empty", override: true }),
  jsonSchema: { type: "string", minLength: 1 }
})

/** Bytes of a request's body when nobody says otherwise: 32 MiB. */
export const defaultBodyBytes = 32 * 1024 * 1024

const origin = Schema.String.pipe(Schema.filter((text) => text === "*" || originOf(text) !== undefined)).annotations({
  message: () => ({ message: "an origin like https://app.example.com, or *", override: true })
})

/** Requests in progress at once when nobody says otherwise. */
export const defaultConcurrent = 4096

/** How the server listens, and what it puts up with. */
export const Server = Schema.Struct({
  /** Where to listen. Default `127.0.0.1`. */
  host: Schema.optional(Field.text),
  /** Port; 0 takes a free one. Default 4000. */
  port: Schema.optional(Field.count),
  /** Bytes of a request's body. Default 32 MiB. */
  maxBodyBytes: Schema.optional(Field.positiveCount),
  /** Bytes of a request's headers together. Default 16 KiB. */
  maxHeaderBytes: Schema.optional(Field.positiveCount),
  /** How deep objects and lists of a request's body may nest. Default 100. */
  maxJsonDepth: Schema.optional(Field.positiveCount),
  /** Values (texts, numbers, words, objects, lists) that a request's body may hold, but for token ids. Default 250,000. */
  maxJsonValues: Schema.optional(Field.positiveCount),
  /** Numbers in rows of at least 64 that a request's `input` or `prompt` may hold beside that. Default 4,000,000. */
  maxJsonNumbers: Schema.optional(Field.positiveCount),
  /**
   * Bytes of all bodies that are held at once, from their arrival to the end of their requests; more are turned away with
   * 503. A key may have a quarter of them while another one wants some. Default: ten times `maxBodyBytes`, at most three
   * quarters of the heap's limit.
   */
  maxBytesInFlight: Schema.optional(Field.positiveCount),
  /**
   * Requests in progress at once; more are turned away with 503 before any work is done. Where there are several keys, one of
   * them gets at most seven eighths, and an equal part while another is turned away. Default 4096.
   */
  maxConcurrent: Schema.optional(Field.positiveCount),
  /** Time for a request's headers to arrive. Default 15 seconds. */
  headersTimeout: Schema.optional(Field.duration),
  /** Time for a whole request, body included, to arrive. Default 60 seconds. */
  requestTimeout: Schema.optional(Field.duration),
  /** Longest wait of a stream's headers for the first content; after it they go out, and errors come in-band. Default 15 seconds. */
  streamHeaderWait: Schema.optional(Field.duration),
  /** Time between the comments that keep a silent stream's connection open. Default 15 seconds. */
  keepAlive: Schema.optional(Field.duration),
  /** How long a client may leave an answer unread, streamed or whole, before it is given up. Default 2 minutes. */
  stallTimeout: Schema.optional(Field.duration),
  /**
   * Connections of clients at once; a new one takes the place of the one that has been idle longest, or is turned away.
   * Default 4 times `maxConcurrent` and at least 256, in half of the file descriptors that the process may have.
   */
  maxConnections: Schema.optional(Field.positiveCount),
  /**
   * How long after SIGTERM everything is still served while `/health/ready` says 503, for load balancers that have yet to
   * notice. Default 0: nothing new is accepted at once.
   */
  drainDelay: Schema.optional(Field.durationOrZero),
  /** How long calls in flight may go on after SIGTERM and `drainDelay`. Default 30 seconds. */
  drainTimeout: Schema.optional(Field.durationOrZero),
  /**
   * Origins whose pages may call the gateway from a browser, as one or a list: `https://app.example.com`, or `*` for any.
   * They still need a key. Default none.
   */
  cors: Schema.optional(Schema.Union(origin, Schema.Array(origin))),
  /**
   * Whether `/metrics` needs the master key. Default false: on loopback anybody may read it, elsewhere whoever has a key, and
   * anybody with `metrics.public`.
   */
  metricsKey: Schema.optional(Schema.Boolean),
  /** Whether `/metrics` can also answer in OpenMetrics, with exemplars; needs the package `prom-client`. Default false. */
  openMetrics: Schema.optional(Schema.Boolean)
})
/** How the server listens, and what it puts up with. */
export type Server = typeof Server.Type

/** Connections to providers. */
export const Connections = Schema.Struct({
  /**
   * Most connections to one host; further requests wait for one, keys by turns, and where there are several keys one of them
   * gets at most seven eighths. Default: as many as `server.maxConcurrent`, so that it is the server that turns requests away.
   */
  connections: Schema.optional(Field.positiveCount),
  /** How long an idle connection is kept when the provider does not say. Default 4 seconds. */
  keepAlive: Schema.optional(Field.duration),
  /** Proxies on the way to providers, in place of the environment's (`HTTP_PROXY` and its like). */
  proxy: Schema.optional(UndiciTransport.Proxies),
  /** How certificates are checked, where a deployment does not say. Default: as `SSL_CERT_FILE` says, else against Node's list. */
  tls: Schema.optional(Tls)
})
/** Connections to providers. */
export type Connections = typeof Connections.Type

/** What is done to every request before it is routed. */
export const Requests = Schema.Struct({
  /** The model that every request is for, whatever it names. */
  model: Schema.optional(Field.text),
  /** Whether tags of requests and keys choose deployments (`route`, default) or mean nothing (`ignore`). */
  tags: Schema.optional(Schema.Literal("route", "ignore")),
  /** Whether a deployment must bear `any` of a request's tags (default) or `all`. */
  tagMatch: Schema.optional(Schema.Literal("any", "all")),
  /** Place among requests that wait for room, where the request names none. Default 0; lower first. */
  priority: Schema.optional(Field.finite),
  /** Whether streams always end with usage, asked for or not. Default false. */
  streamUsage: Schema.optional(Schema.Boolean),
  /** Whether the caller's own `x-` headers go on to the provider. Default false. */
  forwardHeaders: Schema.optional(Schema.Boolean),
  /** Whether parameters that a model refuses are left out, where its deployment does not say. Default false. */
  dropParams: Schema.optional(Schema.Boolean),
  /** Whether only requests that ask for it (`cache: {"use-cache": true}`) may be answered from the cache. Default false. */
  cacheOptIn: Schema.optional(Schema.Boolean)
})
/** What is done to every request before it is routed. */
export type Requests = typeof Requests.Type

/** What callers are told beside the answers. */
export const Answers = Schema.Struct({
  /**
   * What headers and errors tell of a request's way. `all`: deployments by id, attempts, fallbacks, cost. `summary`: the group,
   * how many attempts, cost, cache and time, and no deployment. `none`: the request's id alone. Default `all` for the master
   * key and where no key is configured, `summary` for other keys.
   */
  routing: Schema.optional(Schema.Literal("all", "summary", "none")),
  /** Whether the answering provider's request id and rate limit headers are passed on. Default false. */
  providerHeaders: Schema.optional(Schema.Boolean)
})
/** What callers are told beside the answers. */
export type Answers = typeof Answers.Type

/** What is logged, and how. */
export const Log = Schema.Struct({
  /**
   * `json`: one object a line; `pretty`: for people; `off` or false, which is what YAML makes of a bare `off`: nothing.
   * Default `pretty` on a terminal, else `json`.
   */
  format: Schema.optional(Schema.Literal("json", "pretty", "off", false)),
  /** The least that is logged: requests are `info`, their retries and fallbacks `debug`. Default `info`. */
  level: Schema.optional(Schema.Literal("debug", "info", "warn", "error")),
  /** Share of the successful requests that are logged; all others are. Default 1. */
  sample: Schema.optional(Field.fraction),
  /** Lines about requests a second; those beyond are only counted. Changes of state are always logged. Default 1000. */
  maxPerSecond: Schema.optional(Field.positiveCount),
  /** Whether the messages of errors are logged too. Providers quote prompts in them. Default false. */
  messages: Schema.optional(Schema.Boolean)
})
/** What is logged, and how. */
export type Log = typeof Log.Type

/** A key that callers bear, and what it may do. */
export const VirtualKey = Schema.Struct({
  /** Who it is for: budgets, limits, logs and the cache go by it. Unique. */
  name: Field.text,
  /** The key itself; only its hash is kept. One of `key` and `hash`. */
  key: Schema.optional(secret),
  /** SHA-256 of the key in hex, for files that should not hold it. */
  hash: Schema.optional(
    Schema.String.pipe(Schema.pattern(/^(sha256:)?[0-9a-fA-F]{64}$/)).annotations({
      message: () => ({ message: "the key's SHA-256 as 64 hex digits", override: true })
    })
  ),
  /** Model groups that it may ask for; `*` stands for any text. Unset: all. */
  groups: Schema.optional(Schema.Array(Field.text)),
  /** Requests per 60 s. Unset: no limit. */
  rpm: Schema.optional(Field.count),
  /** Tokens per 60 s, input and output. Unset: no limit. */
  tpm: Schema.optional(Field.count),
  /** Requests in progress at once. Unset: no limit. */
  maxParallel: Schema.optional(Field.count),
  /** Bytes of a request's body, where that should be less than `server.maxBodyBytes`. */
  maxBodyBytes: Schema.optional(Field.positiveCount),
  /**
   * Places in line that its requests may ask for, lower first; what they ask for beyond is brought back to the nearest. `min`
   * unset: where a request that asks for none stands (`requests.priority`, else 0), so that no key overtakes others.
   */
  priority: Schema.optional(
    Schema.Struct({ min: Schema.optional(Field.finite), max: Schema.optional(Field.finite) }).pipe(
      Schema.filter(
        ({ max, min }) => min === undefined || max === undefined || min <= max || "a min that is not above max"
      )
    )
  ),
  /** What it may spend. Unset: no limit. */
  budget: Schema.optional(SpendLimit),
  /** Tags that its requests bear beside their own. */
  tags: Schema.optional(Schema.Array(Field.text))
})
/** A key that callers bear, and what it may do. */
export type VirtualKey = typeof VirtualKey.Type

/** What holds for all deployments of a provider that do not set it themselves. */
export const ProviderSettings = DeploymentConfig.pick(
  "onMalformedEvent",
  "onMissingFinish",
  "dropParams",
  "additionalDropParams"
)
/** What holds for all deployments of a provider that do not set it themselves. */
export type ProviderSettings = typeof ProviderSettings.Type

/** The settings that are not the router's own. */
export const OwnSettings = Schema.Struct({
  /** Settings of all deployments of a provider, by its label; a deployment's own win. */
  providers: Schema.optional(Schema.Record({ key: Schema.String, value: ProviderSettings })),
  server: Schema.optional(Server),
  /** Connections to providers. Like `server`, it is read at the start and not at a reload. */
  transport: Schema.optional(Connections),
  requests: Schema.optional(Requests),
  /** What callers are told beside the answers. */
  answers: Schema.optional(Answers),
  /** What is logged, and how. */
  log: Schema.optional(Log),
  /** May do everything. */
  masterKey: Schema.optional(secret),
  /** Keys that callers bear. */
  keys: Schema.optional(Schema.Array(VirtualKey)),
  /** Names that `/v1/models` leaves out. */
  hiddenModels: Schema.optional(Schema.Array(Field.text))
})

const strategy = Schema.Union(
  Field.text,
  Schema.declare((value: unknown): value is Router.StrategyLayer => Layer.isLayer(value))
).annotations({
  message: () => ({ message: "a strategy's name", override: true }),
  jsonSchema: { anyOf: [{ enum: Strategies.names }, { type: "string", minLength: 1 }] }
})

const names = Schema.Record({ key: Schema.String, value: Field.text })

const groups = Schema.Struct({
  /** Other names: alias to group, deployment id or another alias (at most 16 hops, no cycle). */
  aliases: Schema.optional(names),
  /** The group that serves names which nothing else matches. */
  defaultGroup: Schema.optional(Field.text),
  /** Why names that nothing else matches are not served, by a name or a pattern with stars: the caller is told. */
  unserved: Schema.optional(names),
  /** How a deployment is chosen among those of a group. Default `peak-ewma`. */
  strategy: Schema.optional(strategy),
  /** Other strategies for single model groups, by the group's name. */
  groupStrategies: Schema.optional(Schema.Record({ key: Schema.String, value: strategy }))
})

/** Every setting of a file of our own; `decode` also checks what no schema can say. */
export const Settings = Schema.Struct({
  /** The endpoints, each with its model group. */
  deployments: Schema.optional(Schema.Array(DeploymentConfig)),
  /**
   * A module whose default export is the stack of the router's concerns, or a function that makes it of the standard stack; its
   * path is relative to this file. Default: the standard stack.
   */
  stack: Schema.optional(Field.text),
  ...groups.fields,
  ...OwnSettings.fields,
  ...Router.fields()
})

/** Everything that a gateway runs on. */
export interface GatewayConfig {
  readonly router: Router.Options
  readonly server: Server
  readonly transport?: Connections
  readonly requests: Requests
  readonly answers: Answers
  readonly log: Log
  /** May do everything. Unset: nobody may use the admin endpoints, and without virtual keys only loopback is served. */
  readonly masterKey: Redacted.Redacted<string> | undefined
  readonly keys: ReadonlyArray<VirtualKey>
  /** Names that `/v1/models` leaves out. */
  readonly hiddenModels: ReadonlyArray<string>
}

const redact = (value: string | Redacted.Redacted<string>): Redacted.Redacted<string> =>
  typeof value === "string" ? Redacted.make(value) : value

const keyIssues = (keys: ReadonlyArray<VirtualKey>): ReadonlyArray<ConfigIssue> =>
  keys.flatMap((key, index) => {
    const first = keys.findIndex((other) => other.name === key.name)
    return [
      ...((key.key === undefined) === (key.hash === undefined)
        ? [issue(`keys[${index}]`, { name: key.name }, "either `key` or `hash`")]
        : []),
      ...(first < index ? [issue(`keys[${index}].name`, key.name, `a name of its own (keys[${first}] has it)`)] : [])
    ]
  })

const deploymentsOf = (settings: object): ReadonlyArray<{ readonly protocol: string }> => {
  const list = (settings as { readonly deployments?: unknown }).deployments
  if (!Array.isArray(list)) return []
  return list.map((entry: { readonly protocol?: unknown } | null) => ({
    protocol: typeof entry?.protocol === "string" ? entry.protocol : "openai"
  }))
}

const only = (settings: Readonly<Record<string, unknown>>, keys: ReadonlyArray<string>) =>
  Object.fromEntries(Object.entries(settings).filter(([key, value]) => keys.includes(key) && value !== undefined))

const without = (settings: Readonly<Record<string, unknown>>, keys: ReadonlyArray<string>) =>
  Object.fromEntries(Object.entries(settings).filter(([key]) => !keys.includes(key)))

/** The deployments as the router gets them: with what holds for their provider, and without readable keys. */
const finished = (router: Router.Options, providers: Readonly<Record<string, ProviderSettings>>): Router.Options => ({
  ...router,
  deployments: router.deployments.map((entry) => ({
    ...providers[entry.provider ?? "openai"],
    ...entry,
    ...(entry.apiKey === undefined ? {} : { apiKey: redact(entry.apiKey) })
  }))
})

/** A deployment's own word beats that for all of them. */
const droppingParams = (router: Router.Options, dropParams: boolean | undefined): Router.Options =>
  dropParams === undefined
    ? router
    : {
        ...router,
        deployments: router.deployments.map((entry) => ({ ...entry, dropParams: entry.dropParams ?? dropParams }))
      }

/**
 * Decodes settings: the router's options, `providers`, `server`, `requests`, `answers`, `log`, `masterKey`, `keys` and
 * `hiddenModels`, all in one object. Fails with every problem at once. Keys come out redacted.
 */
export const decode = (settings: object): Either.Either<GatewayConfig, ConfigError> => {
  const all = settings as Readonly<Record<string, unknown>>
  const ownKeys = Object.keys(OwnSettings.fields)
  const decoded = Field.decode(OwnSettings, only(all, ownKeys), "")
  const groupIssues = Field.issuesOf(groups, only(all, Object.keys(groups.fields)), "")
  // The router's check takes the shape of these for granted.
  const misshapen = groupIssues.map(({ path }) => path.replace(/[.[].*$/, ""))
  const isMisplaced = all["stack"] !== undefined && !isStack(all["stack"])
  const router = without(all, [
    ...ownKeys,
    ...misshapen,
    ...(isMisplaced ? ["stack"] : [])
  ]) as unknown as Router.Options
  const protocols = Providers.check(deploymentsOf(settings))
  const issues = [
    ...groupIssues,
    ...(isMisplaced ? [issue("stack", all["stack"], "a stack; a file names the module that makes it")] : []),
    ...Router.check(router),
    ...(Either.isLeft(protocols) ? protocols.left.issues : []),
    ...(Either.isLeft(decoded)
      ? decoded.left.issues
      : [...keyIssues(decoded.right.keys ?? []), ...secretIssues(decoded.right.keys ?? [], decoded.right.masterKey)])
  ]
  if (issues.length > 0 || Either.isLeft(decoded)) return Either.left(new ConfigError({ issues }))
  const unpriced = refusedKeys(router, decoded.right.keys ?? [])
  if (unpriced.length > 0) return Either.left(new ConfigError({ issues: unpriced }))
  const { right } = decoded
  return Either.right({
    router: droppingParams(finished(router, right.providers ?? {}), right.requests?.dropParams),
    server: right.server ?? {},
    transport: right.transport ?? {},
    requests: right.requests ?? {},
    answers: right.answers ?? {},
    log: right.log ?? {},
    masterKey: right.masterKey === undefined ? undefined : redact(right.masterKey),
    keys: (right.keys ?? []).map((entry) => (entry.key === undefined ? entry : { ...entry, key: redact(entry.key) })),
    hiddenModels: right.hiddenModels ?? []
  })
}
