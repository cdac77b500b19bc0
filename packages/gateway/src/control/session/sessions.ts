/**
 * Whoever signed in with the master key. A session is known by a random id that its browser keeps in a cookie; here only the
 * id's hash is kept, in memory, and with it the hash of the master key that it was begun with: another master key ends it.
 */
import { randomBytes } from "node:crypto"
import { sha256 } from "../../config/callerSecrets.js"

/** Ms that a session lasts at most. */
export const longest = 12 * 3_600_000

/** Ms without a request after which it is over. */
const idle = 3_600_000

/** Sessions that there may be at once: beyond them the one that was used least lately ends. */
const most = 64

interface Session {
  readonly begunAt: number
  readonly master: string
  usedAt: number
}

/** What others have to know, to whom a browser may come next. Ids are hashed. */
export type Change =
  | { readonly kind: "begun"; readonly hash: string; readonly session: Readonly<Session> }
  | { readonly kind: "used"; readonly hash: string; readonly at: number }
  | { readonly kind: "ended"; readonly hash: string }

/** Ms between two words of the same session's use. */
const toldEvery = 60_000

/** All sessions of a gateway. Times are wall-clock ms; `master` is the hash of the master key in force. */
export class Sessions {
  /** By the hash of their ids, the least lately used first. */
  readonly #known = new Map<string, Session>()

  /** `told` hears of each change that is made here. */
  constructor(private readonly told: (change: Change) => void = () => {}) {}

  /** Takes what others have told. */
  hear(change: Change): void {
    const { hash } = change
    const found = this.#known.get(hash)
    if (change.kind === "ended") this.#known.delete(hash)
    else if (change.kind === "begun") this.#keep(hash, { ...change.session })
    else if (found !== undefined) found.usedAt = Math.max(found.usedAt, change.at)
  }

  /** All of them, for one who begins. */
  all(): ReadonlyArray<Change> {
    return [...this.#known].map(([hash, session]) => ({ kind: "begun", hash, session: { ...session } }))
  }

  /** Begins one, and gives its id: the only time that it is told. */
  begin(master: string, now: number): string {
    const id = randomBytes(32).toString("base64url")
    const hash = sha256(id)
    const session = { begunAt: now, usedAt: now, master }
    this.#keep(hash, session)
    this.told({ kind: "begun", hash, session })
    return id
  }

  /** Whether there is such a session; one that is over is forgotten. */
  has(id: string, master: string | undefined, now: number): boolean {
    const hash = sha256(id)
    const found = this.#known.get(hash)
    if (found === undefined) return false
    const isOver = found.master !== master || now - found.begunAt >= longest || now - found.usedAt >= idle
    if (isOver) this.#known.delete(hash)
    return !isOver
  }

  /** The same, and such a session is used now. */
  use(id: string, master: string | undefined, now: number): boolean {
    if (!this.has(id, master, now)) return false
    const hash = sha256(id)
    const found = this.#known.get(hash)
    if (found === undefined) return false
    if (now - found.usedAt >= toldEvery) this.told({ kind: "used", hash, at: now })
    found.usedAt = now
    this.#known.delete(hash)
    this.#known.set(hash, found)
    return true
  }

  /** Ends one. */
  end(id: string): void {
    const hash = sha256(id)
    this.#known.delete(hash)
    this.told({ kind: "ended", hash })
  }

  #keep(hash: string, session: Session): void {
    this.#known.set(hash, session)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= most) break
      this.#known.delete(oldest)
    }
  }
}
