/**
 * Where state is kept that several gateways share.
 */
import * as Field from "@switchyard/core/Field"
import { Redacted, Schema } from "effect"
import { secret } from "../callerSettings.js"

const isUrl = (given: string | Redacted.Redacted<string>): boolean => {
  const text = (typeof given === "string" ? given : Redacted.value(given)).trim()
  return /^(rediss?|valkeys?):\/\//i.test(text) && URL.canParse(text)
}

const url = secret.pipe(Schema.filter(isUrl)).annotations({
  message: () => ({ message: "redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// with TLS", override: true }),
  jsonSchema: { type: "string", pattern: "^(rediss?|valkeys?)://." }
})

const port = Schema.Int.pipe(Schema.between(1, 65_535)).annotations({
  message: () => ({ message: "a port: a whole number from 1 to 65535", override: true })
})

const address = Schema.Struct({
  /** Its name or address. */
  host: Field.required(Field.text, "Its name or address."),
  /** Its port. Default 6379; of a sentinel 26379. */
  port: Field.option(port, "Its port. Default 6379; of a sentinel 26379.")
})

const addresses = Schema.NonEmptyArray(address).annotations({
  message: () => ({ message: "a list of { host, port }", override: true })
})

const ways = ["url", "host", "sentinel", "cluster"] as const

const fields = {
  /** `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or `rediss://` with TLS. */
  url: Field.option(url, "`redis://USER:PASSWORD@HOST:PORT/DATABASE`, or `rediss://` with TLS."),
  /** A server's name or address, in place of a URL. Default `127.0.0.1`, where neither sentinels nor a cluster are named. */
  host: Field.option(
    Field.text,
    "A server's name or address, in place of a URL. Default `127.0.0.1`, where neither sentinels nor a cluster are named."
  ),
  /** The port of `host`. Default `6379`. */
  port: Field.option(port, "The port of `host`. Default `6379`.", 6379),
  /** The number of the database of `host` or `sentinel`. Default 0. */
  database: Field.option(Field.count, "The number of the database of `host` or `sentinel`.", 0),
  /** A master that sentinels know by its name. */
  sentinel: Field.option(
    Schema.Struct({
      /** The master's name. */
      name: Field.required(Field.text, "The master's name."),
      /** The sentinels. */
      addresses: Field.required(addresses, "The sentinels.")
    }),
    "A master that sentinels know by its name."
  ),
  /** Some nodes of a cluster; they know the others. */
  cluster: Field.option(addresses, "Some nodes of a cluster; they know the others."),
  /** The user, where no URL names one. */
  username: Field.option(Field.text, "The user, where no URL names one."),
  /** The password, where no URL has one. */
  password: Field.option(secret, "The password, where no URL has one."),
  /** Whether to use TLS where no URL says so. Default false. */
  tls: Field.option(Field.flag, "Whether to use TLS where no URL says so.", false),
  /** Before every key, so that several programs share a server. Default `switchyard:`. */
  prefix: Field.option(
    Field.text,
    "Before every key, so that several programs share a server. Default `switchyard:`.",
    "switchyard:"
  ),
  /** How long a command may take before this process decides by itself. Default 50 ms. */
  timeout: Field.option(
    Field.duration,
    "How long a command may take before this process decides by itself. Default 50 ms.",
    50
  )
}

/** Redis or Valkey, by which several gateways hold deployments to their limits together. */
export const RedisSettings = Schema.Struct(fields)
  .pipe(
    Schema.filter(
      (given) =>
        ways.filter((way) => given[way] !== undefined).length <= 1 ||
        `at most one of ${ways.slice(0, -1).join(", ")} and ${ways.at(-1)}`
    )
  )
  .annotations({
    description: "Redis or Valkey, by which several gateways hold deployments to their limits together."
  })
/** Redis or Valkey, by which several gateways hold deployments to their limits together. */
export type RedisSettings = typeof RedisSettings.Type

/** The field of the configuration. */
export const redisField = Field.option(
  RedisSettings,
  "Redis or Valkey, by which several gateways hold deployments to their limits together. Like `server`, it is read at the start and not at a reload."
)

const redact = (value: string | Redacted.Redacted<string>): Redacted.Redacted<string> =>
  Redacted.make((typeof value === "string" ? value : Redacted.value(value)).trim())

/** The settings without readable secrets. */
export const sealedRedis = (settings: RedisSettings): RedisSettings => ({
  ...settings,
  ...(settings.url === undefined ? {} : { url: redact(settings.url) }),
  ...(settings.password === undefined ? {} : { password: redact(settings.password) })
})
