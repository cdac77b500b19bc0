/** Judges what a caller saw. Whatever is no good end and was taken at all is an answer that was lost without a word. */
import { type Ask, replyTo, vectorsFor } from "./ask.js"
import { nobodyListens, type Observed } from "./exchange.js"

export type Verdict =
  /** Every word that was due, and the end that says so. */
  | { readonly outcome: "whole" }
  /** A status and a JSON error with a code. */
  | { readonly outcome: "error"; readonly code: string }
  /** The right words as far as they go, then an error event. */
  | { readonly outcome: "in-band"; readonly code: string }
  /** Nobody listened for as long as the caller had patience: nothing was taken, so nothing is lost. */
  | { readonly outcome: "refused" }
  | { readonly outcome: "lost"; readonly why: string }

const lost = (why: string): Verdict => ({ outcome: "lost", why })

const shown = (text: string): string =>
  JSON.stringify(text.length > 160 ? `${text.slice(0, 80)} … ${text.slice(-80)}` : text)

const statuses = new Set([400, 401, 403, 404, 408, 413, 415, 429, 431, 502, 503, 504])

interface Payload {
  readonly error?: { readonly code?: unknown; readonly message?: unknown }
  readonly usage?: unknown
  readonly data?: ReadonlyArray<{ readonly embedding?: unknown }>
  readonly choices?: ReadonlyArray<{
    readonly message?: { readonly content?: unknown }
    readonly delta?: { readonly content?: unknown }
    readonly finish_reason?: unknown
  }>
}

const parsed = (text: string): Payload | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

const codeIn = (payload: Payload | undefined): string | undefined => {
  const { code, message } = payload?.error ?? {}
  return typeof code === "string" && code !== "" && typeof message === "string" && message !== "" ? code : undefined
}

/** A status other than 200. An internal error is typed, too, but nobody's plan. */
const judgeError = ({ isComplete, status, text }: Observed): Verdict => {
  const code = codeIn(parsed(text))
  if (!isComplete) return lost(`status ${status}, cut after ${shown(text)}`)
  if (code === undefined) return lost(`status ${status} without a typed error: ${shown(text)}`)
  if (!statuses.has(status ?? 0)) return lost(`status ${status}, ${code}: ${shown(text)}`)
  return { outcome: "error", code }
}

const judgeChat = (ask: Ask, payload: Payload | undefined): Verdict => {
  const choice = payload?.choices?.[0]
  const expected = replyTo(ask)
  if (choice?.message?.content !== expected) {
    return lost(`${shown(String(choice?.message?.content))} in place of ${shown(expected)}`)
  }
  return choice.finish_reason === "stop" ? { outcome: "whole" } : lost(`finish_reason ${String(choice.finish_reason)}`)
}

const judgeEmbedding = (ask: Ask, payload: Payload | undefined): Verdict => {
  const vectors = (payload?.data ?? []).map(({ embedding }) => embedding)
  return JSON.stringify(vectors) === JSON.stringify(vectorsFor(ask)) ? { outcome: "whole" } : lost("other vectors")
}

const judgeStream = (ask: Ask, { failure, isComplete, text }: Observed): Verdict => {
  const expected = replyTo(ask)
  const events = text.split("\n\n").filter((event) => event !== "" && !event.startsWith(":"))
  let content = ""
  let finish: unknown
  for (const [index, event] of events.entries()) {
    const data = event.startsWith("data: ") ? event.slice("data: ".length) : undefined
    const isLast = index === events.length - 1
    if (data === "[DONE]") {
      if (content !== expected) return lost(`[DONE] after ${shown(content)} of ${shown(expected)}`)
      if (finish !== "stop") return lost(`[DONE] without a finish_reason (${String(finish)})`)
      if (!isLast) return lost(`something after [DONE]: ${shown(events.slice(index).join("\n"))}`)
      return isComplete ? { outcome: "whole" } : lost("cut after [DONE]")
    }
    const payload = data === undefined ? undefined : parsed(data)
    if (payload === undefined) return lost(`no event: ${shown(event)}`)
    if (payload.error !== undefined) {
      const code = codeIn(payload)
      if (code === undefined) return lost(`an error event without a code: ${shown(event)}`)
      if (code === "internal_error") return lost(`an internal error: ${shown(event)}`)
      return { outcome: "in-band", code }
    }
    const choice = payload.choices?.[0]
    content += String(choice?.delta?.content ?? "")
    finish = choice?.finish_reason ?? finish
    if (!expected.startsWith(content)) return lost(`${shown(content)} for ${shown(expected)}`)
  }
  return lost(
    `${isComplete ? "ended" : `cut (${failure})`} without an error after ${content.length} of ${expected.length} characters`
  )
}

/** What a call came to. */
export const judge = (ask: Ask, observed: Observed): Verdict => {
  const { failure, isComplete, status, text } = observed
  if (failure === nobodyListens) return { outcome: "refused" }
  if (status === undefined) return lost(`no answer (${failure})`)
  if (status !== 200) return judgeError(observed)
  if (ask.kind === "stream") return judgeStream(ask, observed)
  if (!isComplete) return lost(`status 200, cut after ${text.length} characters (${failure})`)
  return ask.kind === "chat" ? judgeChat(ask, parsed(text)) : judgeEmbedding(ask, parsed(text))
}

/** What became of a body that should be refused. */
export const judgeHostile = (observed: Observed): Verdict => {
  const { failure, status, text } = observed
  if (failure === nobodyListens) return { outcome: "refused" }
  if (status === undefined) return lost(`no answer (${failure})`)
  return status === 200 ? lost(`it was served: ${shown(text)}`) : judgeError(observed)
}
