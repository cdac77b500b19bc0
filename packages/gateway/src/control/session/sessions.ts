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

/** All sessions of a gateway. Times are wall-clock ms; `master` is the hash of the master key in force. */
export class Sessions {
  /** By the hash of their ids, the least lately used first. */
  readonly #known = new Map<string, Session>()

  /** Begins one, and gives its id: the only time that it is told. */
  begin(master: string, now: number): string {
    const id = randomBytes(32).toString("base64url")
    this.#known.set(sha256(id), { begunAt: now, usedAt: now, master })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= most) break
      this.#known.delete(oldest)
    }
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
    found.usedAt = now
    this.#known.delete(hash)
    this.#known.set(hash, found)
    return true
  }

  /** Ends one. */
  end(id: string): void {
    this.#known.delete(sha256(id))
  }
}
