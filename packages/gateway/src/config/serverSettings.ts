/**
 * How the gateway listens, and how it connects to providers. Read at the start, and not at a reload.
 */
import { Tls } from "@switchyard/core/Deployment"
import * as Field from "@switchyard/core/Field"
import { originOf } from "@switchyard/core/Origin"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import { Redacted, Schema } from "effect"
import { secret } from "./callerSettings.js"

const origin = Schema.String.pipe(Schema.filter((text) => text === "*" || originOf(text) !== undefined)).annotations({
  message: () => ({ message: "an origin like https://app.example.com, or *", override: true })
})

const leastSecret = 16

const idSecret = secret
  .pipe(
    Schema.filter((given) => (typeof given === "string" ? given : Redacted.value(given)).trim().length >= leastSecret)
  )
  .annotations({
    message: () => ({ message: `a secret of at least ${leastSecret} characters`, override: true }),
    jsonSchema: { type: "string", minLength: leastSecret }
  })

/** How the server listens, and what it puts up with. */
export const Server = Field.options("How the server listens, and what it puts up with.", {
  /** Where to listen. Default `127.0.0.1`. */
  host: Field.option(Field.text, "Where to listen.", "127.0.0.1"),
  /** Port; 0 takes a free one. Default 4,000. */
  port: Field.option(Field.count, "Port; 0 takes a free one.", 4000),
  /**
   * Processes that `switchyard serve` serves with, on one port; `auto`: as many as the machine has cores. Bounds of this section
   * are those of each. Default 1.
   */
  workers: Field.option(
    Schema.Union(Field.positiveCount, Schema.Literal("auto")),
    "Processes that `switchyard serve` serves with, on one port; `auto`: as many as the machine has cores. Bounds of this section are those of each.",
    1
  ),
  /**
   * Whether pictures and files that a caller names by an https URL are fetched where the provider takes bytes only: from public
   * addresses, without redirects, 20 MiB each, within 10 seconds. Else the request is refused. Default false.
   */
  fetchMedia: Field.option(
    Schema.Boolean,
    "Whether pictures and files that a caller names by an https URL are fetched where the provider takes bytes only: from public addresses, without redirects, 20 MiB each, within 10 seconds. Else the request is refused.",
    false
  ),
  /**
   * Who counts the tokens that a caller asks for and no provider counts: `gpt-tokenizer`, an optional package, for the models whose words it
   * knows (OpenAI's), or an `estimate` that errs high. Default `estimate`.
   */
  tokenizer: Field.option(
    Schema.Literal("estimate", "gpt-tokenizer"),
    "Who counts the tokens that a caller asks for and no provider counts: `gpt-tokenizer`, an optional package, for the models whose words it knows (OpenAI's), or an `estimate` that errs high.",
    "estimate"
  ),
  /** Bytes of a request's body. Default 32 MiB. */
  maxBodyBytes: Field.option(Field.positiveCount, "Bytes of a request's body.", 32 * 1024 * 1024),
  /**
   * Bytes of a form with files (images, recordings) in it. Default 512 MiB.
   */
  maxUpload: Field.option(
    Field.positiveCount,
    "Bytes of a form with files (images, recordings) in it. Default 512 MiB.",
    512 * 1024 * 1024
  ),
  /**
   * Bytes of such a form that are kept in memory until its request ends, so that another deployment can be tried with it; a
   * larger one is kept in a temporary file. Default 8 MiB.
   */
  replayBytes: Field.option(
    Field.positiveCount,
    "Bytes of such a form that are kept in memory until its request ends, so that another deployment can be tried with it; a larger one is kept in a temporary file.",
    8 * 1024 * 1024
  ),
  /** Bytes of a request's headers together. Default 16 KiB. */
  maxHeaderBytes: Field.option(Field.positiveCount, "Bytes of a request's headers together.", 16 * 1024),
  /** How deep objects and lists of a request's body may nest. Default 100. */
  maxJsonDepth: Field.option(Field.positiveCount, "How deep objects and lists of a request's body may nest.", 100),
  /** Values (texts, numbers, words, objects, lists) that a request's body may hold, but for token ids. Default 250,000. */
  maxJsonValues: Field.option(
    Field.positiveCount,
    "Values (texts, numbers, words, objects, lists) that a request's body may hold, but for token ids.",
    250_000
  ),
  /** Numbers in rows of at least 64 that a request's `input` or `prompt` may hold beside that. Default 4,000,000. */
  maxJsonNumbers: Field.option(
    Field.positiveCount,
    "Numbers in rows of at least 64 that a request's `input` or `prompt` may hold beside that.",
    4_000_000
  ),
  /**
   * Bytes of all bodies that are held at once, from their arrival to the end of their requests; more are turned away with
   * 503. A key may have a quarter of them while another one wants some. Default: ten times `maxBodyBytes`, at most three
   * quarters of the heap's limit.
   */
  maxBytesInFlight: Field.option(
    Field.positiveCount,
    "Bytes of all bodies that are held at once, from their arrival to the end of their requests; more are turned away with 503. A key may have a quarter of them while another one wants some. Default: ten times `maxBodyBytes`, at most three quarters of the heap's limit."
  ),
  /**
   * Requests in progress at once; more are turned away with 503 before any work is done. Where there are several keys, one of
   * them gets at most seven eighths, and an equal part while another is turned away. Default 4,096.
   */
  maxConcurrent: Field.option(
    Field.positiveCount,
    "Requests in progress at once; more are turned away with 503 before any work is done. Where there are several keys, one of them gets at most seven eighths, and an equal part while another is turned away.",
    4096
  ),
  /** Time for a request's headers to arrive. Default 15 seconds. */
  headersTimeout: Field.option(Field.duration, "Time for a request's headers to arrive.", 15_000),
  /**
   * Time for a whole request, body included, to arrive. A form with files may take longer, while 16 KiB a second come of it.
   * Default 60 seconds.
   */
  requestTimeout: Field.option(
    Field.duration,
    "Time for a whole request, body included, to arrive. A form with files may take longer, while 16 KiB a second come of it.",
    60_000
  ),
  /** Longest wait of a stream's headers for the first content; after it they go out, and errors come in-band. Default 15 seconds. */
  streamHeaderWait: Field.option(
    Field.duration,
    "Longest wait of a stream's headers for the first content; after it they go out, and errors come in-band.",
    15_000
  ),
  /** Time between the comments that keep a silent stream's connection open. Default 15 seconds. */
  keepAlive: Field.option(
    Field.duration,
    "Time between the comments that keep a silent stream's connection open.",
    15_000
  ),
  /** How long a client may leave an answer unread, streamed or whole, before it is given up. Default 2 minutes. */
  stallTimeout: Field.option(
    Field.duration,
    "How long a client may leave an answer unread, streamed or whole, before it is given up.",
    120_000
  ),
  /**
   * Connections of clients at once; a new one takes the place of the one that has been idle longest, or is turned away.
   * Default 4 times `maxConcurrent` and at least 256, in half of the file descriptors that the process may have.
   */
  maxConnections: Field.option(
    Field.positiveCount,
    "Connections of clients at once; a new one takes the place of the one that has been idle longest, or is turned away. Default 4 times `maxConcurrent` and at least 256, in half of the file descriptors that the process may have."
  ),
  /**
   * How long after SIGTERM everything is still served while `/health/ready` says 503, for load balancers that have yet to
   * notice. Default 0: nothing new is accepted at once.
   */
  drainDelay: Field.option(
    Field.durationOrZero,
    "How long after SIGTERM everything is still served while `/health/ready` says 503, for load balancers that have yet to notice. Default 0: nothing new is accepted at once.",
    0
  ),
  /** How long calls in flight may go on after SIGTERM and `drainDelay`. Default 30 seconds. */
  drainTimeout: Field.option(
    Field.durationOrZero,
    "How long calls in flight may go on after SIGTERM and `drainDelay`.",
    30_000
  ),
  /**
   * Origins whose pages may call the gateway from a browser, as one or a list: `https://app.example.com`, or `*` for any.
   * They still need a key. Default none.
   */
  cors: Field.option(
    Schema.Union(origin, Schema.Array(origin)),
    "Origins whose pages may call the gateway from a browser, as one or a list: `https://app.example.com`, or `*` for any. They still need a key. Default none."
  ),
  /**
   * Whether `/metrics` needs the master key. Default false: on loopback anybody may read it, elsewhere whoever has a key, and
   * anybody with `metrics.public`.
   */
  metricsKey: Field.option(
    Schema.Boolean,
    "Whether `/metrics` needs the master key. Default false: on loopback anybody may read it, elsewhere whoever has a key, and anybody with `metrics.public`.",
    false
  ),
  /**
   * With what ids of responses, files, batches and vector stores are sealed: at least 16 characters, the same for all replicas.
   * Default: a random one, with which they are known until the process ends.
   */
  idSecret: Field.option(
    idSecret,
    "With what ids of responses, files, batches and vector stores are sealed: at least 16 characters, the same for all replicas. Default: a random one, with which they are known until the process ends."
  ),
  /** Whether `/metrics` can also answer in OpenMetrics, with exemplars; needs the package `prom-client`. Default false. */
  openMetrics: Field.option(
    Schema.Boolean,
    "Whether `/metrics` can also answer in OpenMetrics, with exemplars; needs the package `prom-client`.",
    false
  )
})
/** How the server listens, and what it puts up with. */
export type Server = typeof Server.Type

/** What the server's settings are when they are left out. */
export const serverDefaults = Field.defaults(Server)

/** Connections to providers. */
export const Connections = Field.options("Connections to providers.", {
  /**
   * Most connections to one host; further requests wait for one, keys by turns, and where there are several keys one of them
   * gets at most seven eighths. Default: as many as `server.maxConcurrent`, so that it is the server that turns requests away.
   */
  connections: Field.option(
    Field.positiveCount,
    "Most connections to one host; further requests wait for one, keys by turns, and where there are several keys one of them gets at most seven eighths. Default: as many as `server.maxConcurrent`, so that it is the server that turns requests away."
  ),
  /** How long an idle connection is kept when the provider does not say. Default 4 seconds. */
  keepAlive: Field.option(Field.duration, "How long an idle connection is kept when the provider does not say.", 4000),
  /** Proxies on the way to providers, in place of the environment's (`HTTP_PROXY` and its like). */
  proxy: Field.option(
    UndiciTransport.Proxies,
    "Proxies on the way to providers, in place of the environment's (`HTTP_PROXY` and its like)."
  ),
  /** How certificates are checked, where a deployment does not say. Default: as `SSL_CERT_FILE` says, else against Node's list. */
  tls: Field.option(
    Tls,
    "How certificates are checked, where a deployment does not say. Default: as `SSL_CERT_FILE` says, else against Node's list."
  )
})
/** Connections to providers. */
export type Connections = typeof Connections.Type
