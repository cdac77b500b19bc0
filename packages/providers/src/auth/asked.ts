/**
 * Asking those who hand out credentials: over HTTP, for at most ten seconds, and never at another address than the one that is known.
 */

/** Milliseconds that signing in may take. */
export const maxWait = 10_000

/** Characters of a refusal that are told. */
const maxTold = 300

/** Who hands out credentials cannot be asked, or fails: the credentials may be right. */
export class Unreachable extends Error {
  constructor(message: string) {
    super(message)
    this.name = "Unreachable"
  }
}

const why = (error: unknown): string => {
  const { cause, message } = error as { readonly cause?: { readonly code?: unknown }; readonly message?: unknown }
  return typeof cause?.code === "string" ? cause.code : String(message)
}

/** What was answered. */
export interface Told {
  readonly status: number
  readonly text: string
}

/** Asks, and fails as `Unreachable` where nobody answers or the server fails. `who` stands at the start of the message. */
export const ask = async (who: string, url: string, init: RequestInit): Promise<Told> => {
  let told: Told
  try {
    // Credentials go along: a redirect would hand them to somebody else.
    const answer = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(maxWait), ...init })
    told = { status: answer.status, text: await answer.text() }
  } catch (error) {
    throw new Unreachable(`${who} cannot be asked (${why(error)})`)
  }
  if (told.status === 429 || told.status >= 500) {
    throw new Unreachable(`${who} answered ${told.status}: ${told.text.slice(0, maxTold)}`)
  }
  return told
}
