/**
 * Headers that go on with what is passed through, and come back with it.
 */
import type { IncomingHttpHeaders } from "node:http"
import type { Headers } from "@switchyard/core/LlmResponse"
import { isSecretHeader } from "@switchyard/core/Secret"

/** Of one connection, made anew on the way, or telling a provider what is none of its business. */
const stopped =
  /^(?:accept-encoding|connection|content-encoding|content-length|cookie2?|date|expect|forwarded|from|host|keep-alive|origin|referer|te|trailer|transfer-encoding|upgrade|via|openai-(?:organization|project)|(?:proxy|sec|x-forwarded|x-switchyard|x-litellm|x-real|x-envoy|x-amzn|cf)-.*|x-request-id)$/

const listed = (value: string | undefined): ReadonlySet<string> =>
  new Set((value ?? "").split(",").map((name) => name.trim().toLowerCase()))

/** What of a caller's headers goes on: no credentials, no cookies, nothing of its connection. */
export const passedOn = (headers: IncomingHttpHeaders): Record<string, string> => {
  const named = listed(headers.connection)
  const passed: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== "string" || stopped.test(name) || named.has(name)) continue
    if (isSecretHeader(name) || name === "authorization") continue
    passed[name] = value
  }
  return passed
}

/** The few that files and batches know. */
export const passedWithFiles = ({
  "idempotency-key": key,
  "openai-beta": beta
}: IncomingHttpHeaders): Record<string, string> => ({
  ...(typeof key === "string" ? { "idempotency-key": key } : {}),
  ...(typeof beta === "string" ? { "openai-beta": beta } : {})
})

const told = ["content-type", "content-disposition", "content-encoding", "content-length", "retry-after"] as const

/** What of a provider's headers comes back, where its bytes do. */
export const passedBack = (headers: Headers): Record<string, string> =>
  Object.fromEntries(
    told.flatMap((name) => {
      const value = headers[name]
      return value !== undefined && /^[\x20-\x7e]{1,500}$/.test(value) ? [[name, value]] : []
    })
  )
