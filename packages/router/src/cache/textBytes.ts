/** What each event of a stream takes beside its text, roughly. */
const perEvent = 32

const wide = /[\u0100-\uffff]/

/** Bytes of a text in memory: an engine keeps Latin-1 in one byte per character, everything else in two. */
export const textBytes = (text: string): number => (wide.test(text) ? 2 * text.length : text.length)

/** Bytes of one event of a stream. */
export const eventBytes = (data: string): number => textBytes(data) + perEvent
