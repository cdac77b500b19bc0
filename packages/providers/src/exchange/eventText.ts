/**
 * The text of an event stream: what it begins as, for many servers send one under another content type or under none, and where
 * its lines end.
 */

/** What a body begins as: an event stream, a JSON object, anything else, or too short to tell. */
export type Start = "events" | "object" | "other" | "unknown"

/** As much as is looked at; more white space than that begins no answer. */
const looked = 256
const fields: ReadonlyArray<string> = ["data:", "event:", "id:", "retry:", ":"]

const kindOf = (text: string): Start => {
  if (text === "") return "unknown"
  if (text.startsWith("{")) return "object"
  if (fields.some((field) => text.startsWith(field))) return "events"
  return fields.some((field) => field.startsWith(text)) ? "unknown" : "other"
}

/** What text begins as. A byte order mark and white space before it say nothing. */
export const startOfText = (text: string): Start => kindOf(text.slice(0, looked).replace(/^\uFEFF?\s*/, ""))

const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** What bytes begin as. */
export const startOf = (bytes: Uint8Array): Start =>
  // Most bodies are one object: no need to decode its beginning.
  bytes[0] === 0x7b
    ? "object"
    : bytes.length < 3 && bytes[0] === 0xef
      ? "unknown"
      : startOfText(decoder.decode(bytes.subarray(0, looked)))

/** The data of the first event in a text of events that has any; the text itself when it holds none. */
export const firstData = (text: string): string => {
  const lines: Array<string> = []
  for (const line of text.split(/\r\n|\r|\n/)) {
    const data = /^data: ?(.*)$/.exec(line.replace(/^\uFEFF/, ""))?.[1]
    if (data !== undefined) lines.push(data)
    else if (line === "" && lines.length > 0) break
  }
  return lines.length === 0 ? text : lines.join("\n")
}

/**
 * The three line ends of an event stream as one, for the texts of one stream in their order. The parser of events wants to see what
 * follows a carriage return, so that an event would wait for the next; and looks for both ends from each line on, which takes it
 * 0.1 s for 64 KiB of one of them.
 */
export class LineEnds {
  /** The last text ended with a carriage return, which a line feed may still belong to. */
  private isOpen = false

  /** The text with a line feed at the end of each line. */
  read(text: string): string {
    if (text === "") return text
    const rest = this.isOpen && text.startsWith("\n") ? text.slice(1) : text
    this.isOpen = text.endsWith("\r")
    return rest.includes("\r") ? rest.replace(/\r\n?/g, "\n") : rest
  }
}
