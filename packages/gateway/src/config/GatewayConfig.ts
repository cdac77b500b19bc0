/**
 * The gateway's own settings: the router's options by their names, and beside them the server, the keys and the rules for
 * requests. A LiteLLM file is translated to these.
 */
import { ConfigError, type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import { DeploymentConfig } from "@switchyard/core/Deployment"
import * as Field from "@switchyard/core/Field"
import * as Providers from "@switchyard/providers/Providers"
import * as Router from "@switchyard/router/Router"
import * as Strategies from "@switchyard/router/RoutingStrategy/Names"
import * as Objective from "@switchyard/router/RoutingStrategy/Objective"
import { isStack } from "@switchyard/router/Stack"
import { Either, Layer, Redacted, Schema } from "effect"
import { secretIssues } from "./callerSecrets.js"
import { secret, VirtualKey } from "./callerSettings.js"
import { Answers, Log, Requests } from "./callSettings.js"
import { Catalogue } from "./catalogueSettings.js"
import { refusedKeys } from "./findings/priceFindings.js"
import { Ledger, ledgerField, sealedLedger } from "./ledger/ledgerSettings.js"
import { type RedisSettings, redisField, sealedRedis } from "./redis/redisSettings.js"
import { Connections, Server } from "./serverSettings.js"

export { Answers, Connections, Ledger, Log, Requests, Server, VirtualKey }

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
  providers: Field.option(
    Schema.Record({ key: Schema.String, value: ProviderSettings }),
    "Settings of all deployments of a provider, by its label; a deployment's own win."
  ),
  /** Providers and models beside those that are publicly known, or otherwise; deployments of `model: provider/model` go by it. */
  catalogue: Field.option(
    Catalogue,
    "Providers and models beside those that are publicly known, or otherwise; deployments of `model: provider/model` go by it."
  ),
  /** How the server listens, and what it puts up with. */
  server: Field.option(Server, "How the server listens, and what it puts up with."),
  /** Connections to providers. Like `server`, it is read at the start and not at a reload. */
  transport: Field.option(
    Connections,
    "Connections to providers. Like `server`, it is read at the start and not at a reload."
  ),
  /** What is done to every request before it is routed. */
  requests: Field.option(Requests, "What is done to every request before it is routed."),
  /** What callers are told beside the answers. */
  answers: Field.option(Answers, "What callers are told beside the answers."),
  /** What is logged, and how. */
  log: Field.option(Log, "What is logged, and how."),
  /** May do everything. */
  masterKey: Field.option(secret, "May do everything."),
  /** Keys that callers bear. */
  keys: Field.option(Schema.Array(VirtualKey), "Keys that callers bear."),
  /**
   * What is kept beyond the end of the process: keys, budgets and a record of each request; `false`: nothing. Like `server`, it
   * is read at the start and not at a reload.
   */
  ledger: ledgerField,
  /** Redis or Valkey, by which several gateways hold deployments to their limits together. */
  redis: redisField,
  /** Names that `/v1/models` leaves out. */
  hiddenModels: Field.option(Schema.Array(Field.text), "Names that `/v1/models` leaves out.")
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
  aliases: Field.option(
    names,
    "Other names: alias to group, deployment id or another alias (at most 16 hops, no cycle)."
  ),
  /** The group that serves names which nothing else matches. */
  defaultGroup: Field.option(Field.text, "The group that serves names which nothing else matches."),
  /** Why names that nothing else matches are not served, by a name or a pattern with stars: the caller is told. */
  unserved: Field.option(
    names,
    "Why names that nothing else matches are not served, by a name or a pattern with stars: the caller is told."
  ),
  /** How a deployment is chosen among those of a group. Default `peak-ewma`. */
  strategy: Field.option(strategy, "How a deployment is chosen among those of a group.", "peak-ewma"),
  /** Other strategies for single model groups, by the group's name. */
  groupStrategies: Field.option(
    Schema.Record({ key: Schema.String, value: strategy }),
    "Other strategies for single model groups, by the group's name."
  ),
  /** What the strategy `objective` makes least, and within which bounds. */
  objective: Field.option(Objective.Options, "What the strategy `objective` makes least, and within which bounds.")
})

/** Every setting of a file of our own; `decode` also checks what no schema can say. */
export const Settings = Schema.Struct({
  /** The endpoints, each with its model group. */
  deployments: Field.option(Schema.Array(DeploymentConfig), "The endpoints, each with its model group."),
  /**
   * A module whose default export is the stack of the router's concerns, or a function that makes it of the standard stack;
   * its path is relative to this file. Default: the standard stack.
   */
  stack: Field.option(
    Field.text,
    "A module whose default export is the stack of the router's concerns, or a function that makes it of the standard stack; its path is relative to this file. Default: the standard stack."
  ),
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
  /** What is kept beyond the end of the process. Unset: what there is, in a file, as soon as there is a key or a budget. */
  readonly ledger?: false | Ledger | undefined
  /** What several gateways share state by. */
  readonly redis?: RedisSettings | undefined
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

const sealedServer = (server: Server): Server =>
  server.idSecret === undefined ? server : { ...server, idSecret: redact(server.idSecret) }

/** A deployment's own word beats that for all of them. */
const droppingParams = (router: Router.Options, dropParams: boolean | undefined): Router.Options =>
  dropParams === undefined
    ? router
    : {
        ...router,
        deployments: router.deployments.map((entry) => ({ ...entry, dropParams: entry.dropParams ?? dropParams }))
      }

/**
 * Decodes settings: the router's options, `providers`, `server`, `requests`, `answers`, `log`, `masterKey`, `keys`, `ledger`
 * and `hiddenModels`, all in one object. Fails with every problem at once. Keys come out redacted.
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
    server: sealedServer(right.server ?? {}),
    transport: right.transport ?? {},
    requests: right.requests ?? {},
    answers: right.answers ?? {},
    log: right.log ?? {},
    masterKey: right.masterKey === undefined ? undefined : redact(right.masterKey),
    keys: (right.keys ?? []).map((entry) => (entry.key === undefined ? entry : { ...entry, key: redact(entry.key) })),
    ...(right.ledger === undefined ? {} : { ledger: sealedLedger(right.ledger) }),
    ...(right.redis === undefined ? {} : { redis: sealedRedis(right.redis) }),
    hiddenModels: right.hiddenModels ?? []
  })
}
