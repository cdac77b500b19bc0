/** Signing in with the master key, and out: for people; programs bear the key. */
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { isJsonObject } from "@switchyard/core/Json"
import { Effect, Option } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"
import type { Generations } from "../../generations/Generations.js"
import * as answers from "../controlAnswers.js"
import * as cookie from "./cookie.js"
import { isByTls, isOwnPage } from "./ownPage.js"
import type { SessionPath } from "./sessionPaths.js"
import { masterOf, type Visitors } from "./visitors.js"

type Request = HttpServerRequest.HttpServerRequest
type Answer = HttpServerResponse.HttpServerResponse

/** Bytes of a body: a key is no longer. */
const maxBody = 4 * 1024

const foreign: Refusal = {
  status: 403,
  code: "foreign_page",
  message: "Only this gateway's own page signs in and out. Programs send the key itself as `Authorization: Bearer KEY`."
}

const noMaster: Refusal = {
  status: 404,
  code: "no_login",
  message: "There is nothing to sign in with: the configuration has no master key."
}

const malformed: Refusal = {
  status: 400,
  code: "invalid_request",
  param: "key",
  message: 'The body must be an object of JSON: {"key": "the master key"}.'
}

const tooMany = (wait: number): Refusal => ({
  status: 429,
  code: "too_many_tries",
  message: `Too many wrong keys. Try again in ${Math.ceil(wait / 1_000)} s.`,
  retryAfter: wait
})

/** What is wrong is not quoted: it may be a key. */
const keyIn = (text: string): string | undefined => {
  try {
    const body: unknown = JSON.parse(text)
    return isJsonObject(body) && typeof body["key"] === "string" ? body["key"].trim() : undefined
  } catch {
    return undefined
  }
}

const read = (request: Request): Effect.Effect<string, Refusal> =>
  Number(request.headers["content-length"] ?? 0) > maxBody
    ? Effect.fail(malformed)
    : request.text.pipe(
        HttpIncomingMessage.withMaxBodySize(Option.some(maxBody)),
        Effect.mapError(() => malformed),
        Effect.flatMap((text) => {
          const key = text.length > maxBody ? undefined : keyIn(text)
          return key === undefined || key === "" ? Effect.fail(malformed) : Effect.succeed(key)
        })
      )

const withCookie = (answer: Answer, value: string): Answer => HttpServerResponse.setHeader(answer, "set-cookie", value)

const addressOf = ({ remoteAddress }: Request): string => Option.getOrElse(remoteAddress, () => "")

/** Answers at each path; fails with why it does not. */
export const make = (
  generations: Pick<Generations["Type"], "current">,
  visitors: Visitors
): Readonly<Record<SessionPath, (request: Request) => Effect.Effect<Answer, Refusal>>> => {
  const { sessions, tries } = visitors

  /** Looked at in one step: however many come at once, each wrong key counts before the next is compared. */
  const enter = (request: Request, key: string, now: number): Effect.Effect<string, Refusal> =>
    Effect.suspend(() => {
      const generation = generations.current()
      const master = masterOf(generation)
      if (master === undefined) return Effect.fail(noMaster)
      const address = addressOf(request)
      const wait = tries.wait(address, now)
      if (wait > 0) return Effect.fail(tooMany(wait))
      const caller = generation.keys.identify(key)
      if (caller?.isMaster === true) return Effect.sync(() => sessions.begin(master, now))
      tries.note(address, now)
      return Effect.fail(caller === undefined ? generation.keys.refusal(key) : answers.notMaster(true))
    })

  const endOld = (request: Request) => {
    for (const id of cookie.idsIn(request.headers["cookie"])) sessions.end(id)
  }

  return {
    "/admin/login": (request) =>
      Effect.gen(function* () {
        if (!isOwnPage(request.method, request.headers)) return yield* Effect.fail(foreign)
        if (masterOf(generations.current()) === undefined) return yield* Effect.fail(noMaster)
        const key = yield* read(request)
        const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        const id = yield* enter(request, key, now)
        endOld(request)
        return withCookie(answers.json({ state: "signedIn" }), cookie.given(id, isByTls(request.headers)))
      }),
    "/admin/logout": (request) =>
      Effect.suspend(() => {
        if (!isOwnPage(request.method, request.headers)) return Effect.fail(foreign)
        endOld(request)
        return Effect.succeed(withCookie(answers.json({ state: "signedOut" }), cookie.taken(isByTls(request.headers))))
      }),
    "/admin/session": (request) =>
      Effect.map(visitors.sessionOf(request), (session) => {
        const generation = generations.current()
        const isOpen = generation.keys.isOpen
        const state = isOpen ? "open" : session !== undefined ? "signedIn" : "signedOut"
        return answers.json({ state })
      })
  }
}
