/**
 * Bytes in `data:` URLs. Their base64 is a slice of the caller's own string, never decoded or copied.
 */

import type { Source } from "../conversation/Conversation.js"
import { toBase64 } from "./base64.js"

/** Longest head of a `data:` URL that is looked for. */
const longestHead = 512

const isData = (url: string): boolean => url.length > 5 && url.slice(0, 5).toLowerCase() === "data:"

const plain = (text: string): string | undefined => {
  try {
    return toBase64(decodeURIComponent(text))
  } catch {
    return undefined
  }
}

/** What a URL holds or points to: bytes for a `data:` URL, else the URL. */
export const sourceOf = (url: string, mime?: string): Source => {
  if (!isData(url)) return { kind: "url", url, mime }
  const comma = url.slice(0, longestHead).indexOf(",")
  if (comma === -1) return { kind: "url", url, mime }
  const head = url.slice(5, comma)
  const isBase64 = head.slice(-7).toLowerCase() === ";base64"
  const said = isBase64 ? head.slice(0, -7) : head
  const data = isBase64 ? url.slice(comma + 1) : plain(url.slice(comma + 1))
  return data === undefined ? { kind: "url", url, mime } : { kind: "bytes", mime: said || (mime ?? "text/plain"), data }
}

/** A `data:` URL of bytes. */
const dataUrl = (mime: string, data: string): string => `data:${mime};base64,${data}`

/** A URL that says the same as a source: `data:` for bytes and texts; undefined for a file that the provider keeps. */
export const urlOf = (source: Source): string | undefined => {
  switch (source.kind) {
    case "bytes":
      return dataUrl(source.mime, source.data)
    case "text":
      return dataUrl(source.mime, toBase64(source.text))
    case "url":
      return source.url
    case "id":
      return undefined
  }
}

/** `png` for `image/png`, `wav` for `audio/x-wav; rate=1`: the short name of a form. */
export const formOf = (mime: string): string => {
  const slash = mime.indexOf("/")
  const end = mime.indexOf(";")
  const form = mime
    .slice(slash + 1, end === -1 ? mime.length : end)
    .trim()
    .toLowerCase()
  return form.startsWith("x-") ? form.slice(2) : form
}
