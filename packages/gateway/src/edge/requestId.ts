import { randomUUID } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"

/** The id that a request is known by: its own `x-request-id` where that is plain text, else a new one. */
export const requestIdOf = ({ "x-request-id": given }: IncomingHttpHeaders): string =>
  typeof given === "string" && /^[\x21-\x7e]{1,128}$/.test(given) ? given : randomUUID()
