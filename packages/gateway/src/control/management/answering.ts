/** Answers of the key management: over keys as they are in the store now, with refusals in OpenAI's words. */
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type { LedgerGroup, LedgerKey } from "@switchyard/ledger/LedgerKey"
import { Effect, Option, type Schema } from "effect"
import { queryOf } from "../../edge/requestPath.js"
import type { Refusal } from "../../errors/ErrorBody.js"
import type { Caller } from "../../keys/KeyRing.js"
import * as KeyDesk from "../../keys/management/KeyDesk.js"
import * as Reading from "../../keys/management/reading.js"
import * as Spend from "../../keys/management/Spend.js"
import * as views from "../../keys/management/views.js"
import * as answers from "../controlAnswers.js"

/** What the key management works with. */
export interface ManagementDeps {
  readonly desk: KeyDesk.Desk
  /** Who sends a request; the control plane has let him in. */
  readonly callerOf: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<Caller | undefined>
  /** Told of a request that is refused. */
  readonly onRefused: (request: HttpServerRequest.HttpServerRequest, refusal: Refusal) => void
}

/** A request as it comes. */
export type Request = { readonly request: HttpServerRequest.HttpServerRequest }

type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse>

const tooLarge: Refusal = {
  status: 413,
  code: "request_too_large",
  message: `the body is larger than ${Reading.maxBody} bytes`
}

const read = <A, I>(schema: Schema.Schema<A, I>, { request }: Request): Effect.Effect<A, Refusal> =>
  Number(request.headers["content-length"] ?? 0) > Reading.maxBody
    ? Effect.fail(tooLarge)
    : request.text.pipe(
        HttpIncomingMessage.withMaxBodySize(Option.some(Reading.maxBody)),
        Effect.mapError(() => tooLarge),
        Effect.flatMap((text) => Reading.body(schema, text))
      )

/** A page of a list. */
export const pageOf = <A>(all: ReadonlyArray<A>, page: number, size: number): ReadonlyArray<A> =>
  all.slice((page - 1) * size, page * size)

/** The latest first. */
export const latestFirst = <A extends { readonly createdAt: number }>(all: ReadonlyArray<A>): ReadonlyArray<A> =>
  [...all].sort((a, b) => b.createdAt - a.createdAt)

/** What has no spending yet. */
export const nothing: Spend.Spent = { spent: 0, endsAt: undefined }

/** What all endpoints are made with. */
export const make = ({ desk, onRefused }: ManagementDeps) => {
  const { book, ledger } = desk

  /** Answers with what comes of `f`, over keys as they are in the store now. */
  const answering =
    (f: (asked: Request) => Effect.Effect<unknown, Refusal>) =>
    ({ request }: Request): Answer =>
      Effect.zipRight(KeyDesk.asking(book.refresh), f({ request })).pipe(
        Effect.map((body) => answers.json(body)),
        Effect.catchAll((refusal) =>
          Effect.sync(() => {
            onRefused(request, refusal)
            return answers.refuse(refusal)
          })
        )
      )
  const posted = <A, I>(schema: Schema.Schema<A, I>, f: (asked: A) => Effect.Effect<unknown, Refusal>) =>
    answering((asked) => Effect.flatMap(read(schema, asked), f))
  const queried = (f: (query: Reading.Query, asked: Request) => Effect.Effect<unknown, Refusal>) =>
    answering((asked) => f(new Reading.Query(queryOf(asked.request.url)), asked))

  const spentBy = (spenders: ReadonlyArray<Spend.Spender>) => KeyDesk.asking(Spend.of(ledger, spenders))
  const keyViews = (keys: ReadonlyArray<LedgerKey>) =>
    Effect.map(
      spentBy(keys.map(({ allowance, createdAt, name }) => ({ scope: "caller", key: name, allowance, createdAt }))),
      (spent) => keys.map((key, index) => views.key(key, spent[index] ?? nothing))
    )
  const keyView = (key: LedgerKey) => Effect.map(keyViews([key]), ([view]) => view ?? views.key(key, nothing))
  const groupViews = <A>(groups: ReadonlyArray<LedgerGroup>, view: (group: LedgerGroup, spent: Spend.Spent) => A) =>
    Effect.map(
      spentBy(groups.map(({ allowance, createdAt, id, kind }) => ({ scope: kind, key: id, allowance, createdAt }))),
      (spent) => groups.map((group, index) => view(group, spent[index] ?? nothing))
    )
  const groupView = <A>(group: LedgerGroup, view: (group: LedgerGroup, spent: Spend.Spent) => A) =>
    Effect.map(groupViews([group], view), ([told]) => told ?? view(group, nothing))
  return { posted, queried, keyView, keyViews, groupView, groupViews }
}

/** What all endpoints are made with. */
export type Answering = ReturnType<typeof make>
