/**
 * Who asks for what the master manages: whoever bears a key, else whoever signed in. Nothing else looks at sessions: no call
 * of a model is ever served for a cookie.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Effect } from "effect"
import { hashOfSecret } from "../../config/callerSecrets.js"
import type { Refusal } from "../../errors/ErrorBody.js"
import type { Generation } from "../../generations/Generations.js"
import * as KeyRing from "../../keys/KeyRing.js"
import type { Siblings } from "../../workers/Siblings.js"
import { idsIn } from "./cookie.js"
import { LoginTries } from "./loginTries.js"
import { isOwnPage } from "./ownPage.js"
import { type Change, Sessions } from "./sessions.js"

type Request = Pick<HttpServerRequest.HttpServerRequest, "headers" | "method">

/** Who it is, or why nobody. */
export interface Visitor {
  readonly caller?: KeyRing.Caller
  readonly refusal?: Refusal
  /** The session that it comes by. */
  readonly session?: string
}

const foreign: Refusal = {
  status: 403,
  code: "foreign_page",
  message:
    "Signed in, but the request is not of this gateway's own page: send the key itself as `Authorization: Bearer KEY`."
}

/** The hash of the master key in force; undefined where there is none. */
export const masterOf = ({ source }: Pick<Generation, "source">): string | undefined => {
  const { masterKey } = source.config
  return masterKey === undefined ? undefined : hashOfSecret(masterKey)
}

const now: Effect.Effect<number> = Effect.clockWith((clock) => clock.currentTimeMillis)

/** Tells visitors of a gateway. */
export class Visitors {
  readonly sessions: Sessions
  readonly tries: LoginTries
  /** The others have told what they know already. */
  private readonly begun: Effect.Effect<void>

  /** What happens at one of several gateways behind a port all of them know. */
  constructor(
    private readonly current: () => Pick<Generation, "keys" | "source">,
    siblings?: Siblings
  ) {
    this.sessions = new Sessions((change) => siblings?.tell("session", change))
    this.tries = new LoginTries((address, at) => siblings?.tell("login", [address, at]))
    siblings?.hear("session", (change) => this.sessions.hear(change as Change))
    siblings?.hear("login", (tried) => this.tries.hear(...(tried as [string, number])))
    siblings?.answer("sessions", () => Effect.sync(() => this.sessions.all()))
    const taken = (all: ReadonlyArray<unknown>): void => {
      for (const changes of all as ReadonlyArray<ReadonlyArray<Change>>) {
        for (const change of changes) this.sessions.hear(change)
      }
    }
    this.begun =
      siblings === undefined
        ? Effect.void
        : Effect.runSync(Effect.cached(Effect.map(siblings.ask("sessions", []), taken)))
  }

  /** The id of the session that a request comes with, while it is one. */
  sessionOf({ headers }: Request): Effect.Effect<string | undefined> {
    return Effect.map(Effect.zipRight(this.begun, now), (at) => {
      const master = masterOf(this.current())
      return idsIn(headers["cookie"]).find((id) => this.sessions.has(id, master, at))
    })
  }

  /** Who sends a request; a key that it bears beats its session. */
  of(request: Request): Effect.Effect<Visitor> {
    const { headers, method } = request
    const key = KeyRing.keyOf(headers)
    const byKey = (): Visitor => {
      const { keys } = this.current()
      const caller = keys.identify(key)
      return caller === undefined ? { refusal: keys.refusal(key) } : { caller }
    }
    if (key !== undefined || headers["cookie"] === undefined) return Effect.sync(byKey)
    return Effect.flatMap(this.sessionOf(request), (id) => {
      if (id === undefined) return Effect.sync(byKey)
      if (!isOwnPage(method, headers)) return Effect.succeed<Visitor>({ refusal: foreign })
      return Effect.map(now, (at): Visitor => {
        this.keep(id, at)
        return { caller: KeyRing.master, session: id }
      })
    })
  }

  /** Uses a session; false when it is over. `at` in wall-clock ms. */
  keep(id: string, at: number): boolean {
    return this.sessions.use(id, masterOf(this.current()), at)
  }
}
