/**
 * Media that a caller names by its URL, where a provider takes bytes only.
 */
import type { Conversation, Part, Source } from "@switchyard/dialects/Conversation"
import * as Pair from "@switchyard/dialects/Pair"
import type { Target, Translator } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import type { Fetched } from "../transport/mediaFetcher.js"

/** Media of one request that are fetched at most. */
const most = 20

type MediaPart = Extract<Part, { readonly source: Source }>

const isMedia = (part: Part): part is MediaPart => "source" in part

const isElsewhere = (
  part: Part
): part is MediaPart & { readonly source: { readonly kind: "url"; readonly url: string } } =>
  isMedia(part) && part.source.kind === "url" && part.source.url.startsWith("https://")

/** A medium, and where it stands in the caller's own words. */
export interface Wanted {
  readonly path: string
  readonly url: string
}

/** All that stands at a URL, with each path that a writer may call it by. */
const elsewhere = ({ turns }: Conversation, { pathOf }: Translator): ReadonlyArray<Wanted> => {
  const found: Array<Wanted> = []
  for (const turn of turns) {
    turn.parts.forEach((part, place) => {
      if (isElsewhere(part)) found.push({ path: pathOf(turn.at, place), url: part.source.url })
      if (part.type !== "toolResult") return
      part.content.forEach((inner, at) => {
        if (!isElsewhere(inner)) return
        const { url } = inner.source
        for (const path of new Set([pathOf(turn.at, place), pathOf(turn.at, at)])) found.push({ path, url })
      })
    })
  }
  return found
}

/** The media that a target would only take as bytes. */
export const wanted = (
  conversation: Conversation,
  origin: Translator,
  target: Target,
  model: string
): ReadonlyArray<Wanted> => {
  const known = elsewhere(conversation, origin)
  if (known.length === 0) return []
  const written = Pair.write(conversation, origin, target, { model, dropsMeaning: true })
  if (Either.isLeft(written)) return []
  const lost = new Set(written.right.dropped.flatMap(({ path, reason }) => (reason === "meaning" ? [path] : [])))
  const byUrl = new Map(known.flatMap((one) => (lost.has(one.path) ? [[one.url, one] as const] : [])))
  return [...byUrl.values()].slice(0, most)
}

/** The conversation with the bytes of what was fetched, by its URL. */
export const withBytes = (conversation: Conversation, fetched: ReadonlyMap<string, Fetched>): Conversation => {
  const filled = (part: Part): Part => {
    if (part.type === "toolResult") return { ...part, content: part.content.map(filled) }
    const found = isElsewhere(part) ? fetched.get(part.source.url) : undefined
    if (!isMedia(part) || found === undefined) return part
    const said = part.source.kind === "url" ? part.source.mime : undefined
    const { extra: _, ...rest } = part
    return {
      ...rest,
      source: { kind: "bytes", mime: found.mime ?? said ?? "application/octet-stream", data: found.data }
    }
  }
  return {
    ...conversation,
    turns: conversation.turns.map((turn) => ({ ...turn, parts: turn.parts.map(filled) }))
  }
}
