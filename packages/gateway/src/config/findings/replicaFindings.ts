/**
 * What can be said of several gateways that share state: what they do not share, although a caller would think so.
 */
import { Redacted } from "effect"
import type { GatewayConfig } from "../GatewayConfig.js"
import type { Finding } from "../Problem.js"
import type { RedisSettings } from "../redis/redisSettings.js"

const warning = (path: string, message: string): Finding => ({ severity: "warning", path, message })

/** Where the file says it. */
const pathOf = (redis: RedisSettings): string =>
  (["url", "host", "sentinel", "cluster"] as const).flatMap((way) =>
    redis[way] === undefined ? [] : [`redis.${way}`]
  )[0] ?? "redis"

const isOn = (option: unknown): boolean => option !== undefined && option !== false

const hasBudget = ({ keys, router }: GatewayConfig): boolean =>
  keys.some(({ budget }) => budget !== undefined) || isOn(router.callerBudget) || isOn(router.spendLimits)

/** Whether each gateway keeps keys and what was used in a file of its own. */
const keepsItsOwn = (config: GatewayConfig): boolean =>
  config.ledger !== false &&
  !isOnPostgres(config) &&
  (config.ledger !== undefined || config.masterKey !== undefined || config.keys.length > 0 || hasBudget(config))

const isOnPostgres = ({ ledger }: GatewayConfig): boolean => {
  const { url } = typeof ledger === "object" ? ledger : { url: undefined }
  return url !== undefined && /^postgres/i.test(typeof url === "string" ? url : Redacted.value(url))
}

/** Warnings for a configuration that names what several gateways share state by. */
export const replicas = (config: GatewayConfig): ReadonlyArray<Finding> =>
  config.redis === undefined
    ? []
    : [
        ...(config.server.idSecret === undefined
          ? [
              warning(
                pathOf(config.redis),
                "ids of responses, files and batches are known to the gateway alone that gave them out: set server.idSecret, the same for all"
              )
            ]
          : []),
        ...(keepsItsOwn(config)
          ? [
              warning(
                pathOf(config.redis),
                "limits and budgets count over all gateways, but keys that one of them gives out, records and reports of what was spent are its own: set ledger.url to a Postgres that all of them use"
              )
            ]
          : []),
        ...(config.ledger === false && hasBudget(config)
          ? [
              warning(
                pathOf(config.redis),
                "what was spent of budgets is known to Redis and to gateways that run: when all of them begin anew it is forgotten; leave out ledger: false, or set ledger.url"
              )
            ]
          : [])
      ]
