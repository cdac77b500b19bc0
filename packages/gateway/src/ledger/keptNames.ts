import type { Scrubber } from "@switchyard/core/Secret"

/** Bytes of UTF-8 that a string of a caller's may have. */
const maxBytes = 256

/** What no database takes, and no report should show: control characters, and halves of characters. */
const unfit =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it finds
  /[\u0000-\u001f\u007f-\u009f\u2028\u2029]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

const encoder = new TextEncoder()
const room = new Uint8Array(maxBytes)

/** The beginning of a text that has room in 256 bytes of UTF-8, cut between characters, and fit to be stored. */
export const cut = (text: string): string => {
  // Longer ones are never encoded as a whole.
  const fit = (text.length > maxBytes ? text.slice(0, maxBytes) : text).replace(unfit, "\ufffd")
  if (fit.length * 3 <= maxBytes) return fit
  const { read } = encoder.encodeInto(fit, room)
  return read === fit.length ? fit : fit.slice(0, read)
}

const isUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Names that are remembered. */
const mostKnown = 1000

/**
 * Names as records hold them: short, and without secrets that somebody took for a name. They come again with every request, so
 * each is made once; few are remembered, since callers make them up.
 */
export class KeptNames {
  private readonly known = new Map<string, string>()

  constructor(private readonly scrubber: Scrubber) {}

  readonly of = (name: string): string => {
    const found = this.known.get(name)
    if (found !== undefined) return found
    // A secret may lie across the cut.
    const kept = cut(this.scrubber.clean(name.length > maxBytes * 4 ? name.slice(0, maxBytes * 4) : name))
    if (name.length > maxBytes) return kept
    if (this.known.size >= mostKnown) this.known.clear()
    this.known.set(name, kept)
    return kept
  }

  optional(name: string | undefined): string | undefined {
    return name === undefined ? undefined : this.of(name)
  }

  id(id: string): string {
    return isUuid.test(id) ? id : cut(this.scrubber.id(id))
  }
}
