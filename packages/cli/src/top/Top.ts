/**
 * Shows the deployments of a running gateway: once, or again and again in place until it is stopped.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { showValue } from "@switchyard/core/ConfigError"
import * as AdminApi from "@switchyard/gateway/AdminApi"
import type { DeploymentView } from "@switchyard/gateway/AdminViews"
import type { FleetView } from "@switchyard/gateway/FleetViews"
import { Effect, Either, Option, ParseResult, Ref } from "effect"
import { CommandError, fail, hasColours, type Paint, painter, print } from "../output.js"
import * as TopFleet from "./TopFleet.js"
import * as TopTable from "./TopTable.js"

/** What `top` is asked. */
export interface Flags {
  readonly url: string
  readonly key: string | undefined
  readonly interval: string
  readonly once: boolean
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

/** `500ms`, `2s`, `1m`, or seconds as a plain number, in ms; undefined when it is none, or not from 100 ms to an hour. */
export const parseInterval = (text: string): number | undefined => {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text.trim()) ?? []
  if (number === undefined) return undefined
  const ms = Number(number) * (units[unit] ?? 1000)
  return ms >= 100 && ms <= 3_600_000 ? ms : undefined
}

/** The gateway's address without a path; undefined for what is no http address. `localhost:4000` will do. */
export const parseUrl = (text: string): string | undefined => {
  // A port follows a colon, and no slash does.
  if (/^[a-z][a-z0-9+.-]*:\/(?!\/)/i.test(text)) return undefined
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  if (!URL.canParse(whole)) return undefined
  const { origin, pathname, protocol } = new URL(whole)
  return /^https?:$/.test(protocol) ? `${origin}${pathname.replace(/\/(v1\/?)?$/, "")}` : undefined
}

const codeOf = (error: unknown): string | undefined => {
  if (typeof error !== "object" || error === null) return undefined
  if ("code" in error && typeof error.code === "string") return error.code
  return "cause" in error ? codeOf(error.cause) : undefined
}

const reach = (code: string | undefined): string => {
  if (code === "ECONNREFUSED") return "nothing listens there"
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "no such host"
  if (code === "ECONNRESET" || code === "UND_ERR_SOCKET") return "the connection was cut"
  return code === undefined ? "no answer" : `no answer (${code})`
}

const refusal = (status: number, key: string | undefined): string => {
  if (status === 401 || status === 403) {
    return key === undefined
      ? "it wants the master key: give --key or set SWITCHYARD_MASTER_KEY"
      : "it does not take this key as its master key"
  }
  return status === 404 ? "no switchyard gateway answers there (404)" : `it answers with status ${status}`
}

/** A gateway that was another product, or another version, answered something else. */
const misfit = (error: ParseResult.ParseError): string => {
  const [{ path } = { path: [] }] = ParseResult.ArrayFormatter.formatErrorSync(error)
  const [list, at, ...rest] = path.map(String)
  const none = "what answers there is no switchyard gateway"
  return rest.length === 0 ? none : `${none} of this version: ${list}[${at}].${rest.join(".")} does not fit`
}

/** Gateways once told a list and no more. */
const underItsName = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transformResponse(
    client,
    Effect.flatMap((response) =>
      Effect.map(response.text, (text) =>
        HttpClientResponse.fromWeb(
          response.request,
          new Response(text.startsWith("[") ? `{"deployments":${text}}` : text)
        )
      )
    )
  )

/** Without spans, whose headers would go out with each request. */
const clientOf = (url: string, key: string | undefined) =>
  HttpApiClient.make(AdminApi.Api, {
    baseUrl: url,
    transformClient: (client) =>
      client.pipe(
        HttpClient.withTracerDisabledWhen(() => true),
        HttpClient.filterStatusOk,
        underItsName,
        HttpClient.mapRequest((request) =>
          HttpClientRequest.acceptJson(key === undefined ? request : HttpClientRequest.bearerToken(request, key))
        )
      )
  }).pipe(Effect.provide(FetchHttpClient.layer))

type Views = ReadonlyArray<DeploymentView>

/** One look; fails with why there is none, in words. */
export const look = (url: string, key: string | undefined): Effect.Effect<Views, string> =>
  Effect.flatMap(clientOf(url, key), (client) => client.deployments()).pipe(
    Effect.map(({ deployments }) => deployments),
    Effect.mapError((error) => {
      if (ParseResult.isParseError(error)) return misfit(error)
      if ("error" in error) return refusal(error instanceof AdminApi.Unauthorized ? 401 : 403, key)
      if (error._tag === "ResponseError" && error.reason === "StatusCode") return refusal(error.response.status, key)
      return reach(codeOf(error))
    }),
    Effect.timeoutFail({ duration: "10 seconds", onTimeout: () => "no answer in 10 s" })
  )

/** All that is shown. */
interface Seen {
  readonly views: Views
  /** Undefined where the gateway tells of no fleet. */
  readonly fleet: FleetView | undefined
}

/** The gateways that share their state; undefined where nobody tells, which an older gateway does not. */
const lookAtFleet = (url: string, key: string | undefined): Effect.Effect<FleetView | undefined> =>
  Effect.flatMap(clientOf(url, key), (client) => client.fleet()).pipe(
    Effect.timeout("10 seconds"),
    Effect.option,
    Effect.map(Option.getOrUndefined)
  )

const lookAtAll = (url: string, key: string | undefined): Effect.Effect<Seen, string> =>
  Effect.all({ views: look(url, key), fleet: lookAtFleet(url, key) }, { concurrency: 2 })

const draw = (url: string, { fleet, views }: Seen, trouble: string | undefined, paint: Paint): string => {
  const gateways = fleet === undefined ? "" : TopFleet.render(fleet, paint)
  const deployments = `${TopTable.heading(url, views, trouble, paint)}\n\n${TopTable.render(views, paint)}`
  return gateways === "" ? deployments : `${deployments}\n\n${gateways}`
}

/** Draws over what was drawn before; lines beyond the window's height are left out, and none wraps. */
const inPlace = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      process.stdout.write("\u001b[?25l\u001b[?7l")
      return { height: 0 }
    }),
    () => Effect.sync(() => void process.stdout.write("\u001b[?25h\u001b[?7h"))
  ),
  (last) => (text: string) =>
    Effect.sync(() => {
      const room = Math.max(4, (process.stdout.rows || 24) - 1)
      const all = text.split("\n")
      const lines = all.length > room ? [...all.slice(0, room - 1), `… ${all.length - room + 1} more`] : all
      const up = last.height === 0 ? "" : `\u001b[${last.height}A\r\u001b[0J`
      process.stdout.write(`${up}${lines.join("\n")}\n`)
      last.height = lines.length
    })
)

const live = (url: string, key: string | undefined, interval: number, first: Seen, paint: Paint) =>
  Effect.gen(function* () {
    const show = process.stdout.isTTY ? yield* inPlace : (text: string) => print(`${text}\n`)
    const latest = yield* Ref.make(first)
    yield* show(draw(url, first, undefined, paint))
    const again = Effect.gen(function* () {
      yield* Effect.sleep(interval)
      const seen = yield* Effect.either(lookAtAll(url, key))
      if (Either.isRight(seen)) yield* Ref.set(latest, seen.right)
      const trouble = Either.isLeft(seen) ? seen.left : undefined
      yield* show(draw(url, yield* Ref.get(latest), trouble, paint))
    })
    return yield* Effect.forever(again)
  }).pipe(Effect.scoped)

/** Shows the table. The first look must succeed; later ones may fail, and are tried again. */
export const run = (flags: Flags) =>
  Effect.gen(function* () {
    const interval = parseInterval(flags.interval)
    if (interval === undefined) {
      return yield* fail(
        `top: --interval: expected a time from 100ms to 60m, like 2s, found ${JSON.stringify(flags.interval)}`
      )
    }
    const url = parseUrl(flags.url)
    if (url === undefined) {
      return yield* fail(
        `top: expected the gateway's address, like http://127.0.0.1:4000, found ${showValue("url", flags.url)}`
      )
    }
    const key = flags.key ?? (process.env.SWITCHYARD_MASTER_KEY || undefined)
    if (key !== undefined && /[^\u0020-\u007e]/.test(key))
      return yield* fail("top: the key holds characters that no key has")
    const paint = painter(hasColours(process.stdout))
    const first = yield* Effect.mapError(
      lookAtAll(url, key),
      (why) => new CommandError({ message: `top: ${url}: ${why}` })
    )
    yield* flags.once ? print(draw(url, first, undefined, paint)) : live(url, key, interval, first, paint)
  })
