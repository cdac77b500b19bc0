/**
 * Requests as RFC 9112 has them, read strictly: the second opinion on which requests some bytes hold, and where each ends.
 */

export interface RawRequest {
  readonly method: string
  readonly target: string
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Buffer
}

/** `rest`: what comes after the sound requests. `odd` is anything that some reader might take in another way. */
export interface Reading {
  readonly requests: ReadonlyArray<RawRequest>
  readonly rest: "nothing" | "incomplete" | "odd"
}

const requestLine = /^([A-Z]+) ([\x21-\x7e]+) HTTP\/1\.1$/
const headerLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/
const maxHead = 15_000

export const valuesOf = ({ headers }: Pick<RawRequest, "headers">, name: string): ReadonlyArray<string> =>
  headers.filter(([known]) => known.toLowerCase() === name).map(([, value]) => value)

const unchunked = (bytes: Buffer): { readonly body: Buffer; readonly end: number } | "incomplete" | "odd" => {
  const parts: Array<Buffer> = []
  let at = 0
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at)
    if (lineEnd === -1) return /^[0-9a-fA-F]{0,6}\r?$/.test(bytes.toString("latin1", at)) ? "incomplete" : "odd"
    const line = bytes.toString("latin1", at, lineEnd)
    if (!/^[0-9a-fA-F]{1,6}$/.test(line)) return "odd"
    const size = Number.parseInt(line, 16)
    const from = lineEnd + 2
    if (size === 0) {
      const tail = bytes.toString("latin1", from, from + 2)
      return tail === "\r\n"
        ? { body: Buffer.concat(parts), end: from + 2 }
        : "\r\n".startsWith(tail)
          ? "incomplete"
          : "odd"
    }
    if (bytes.length < from + size + 2) return "incomplete"
    if (bytes.toString("latin1", from + size, from + size + 2) !== "\r\n") return "odd"
    parts.push(bytes.subarray(from, from + size))
    at = from + size + 2
  }
}

const readHead = (text: string): Omit<RawRequest, "body"> | undefined => {
  const [first = "", ...lines] = text.split("\r\n")
  const [, method, target] = requestLine.exec(first) ?? []
  if (method === undefined || target === undefined || text.length > maxHead) return undefined
  const headers: Array<readonly [string, string]> = []
  for (const line of lines) {
    const [, name, value] = headerLine.exec(line) ?? []
    if (name === undefined || value === undefined) return undefined
    headers.push([name, value])
  }
  return { method, target, headers }
}

const isOdd = (head: Omit<RawRequest, "body">): boolean => {
  const [lengths, codings] = [valuesOf(head, "content-length"), valuesOf(head, "transfer-encoding")]
  return (
    head.method === "CONNECT" ||
    !head.target.startsWith("/") ||
    valuesOf(head, "host").length !== 1 ||
    valuesOf(head, "upgrade").length > 0 ||
    valuesOf(head, "expect").length > 0 ||
    lengths.length + codings.length > 1 ||
    lengths.some((length) => !/^\d{1,9}$/.test(length)) ||
    codings.some((coding) => coding !== "chunked") ||
    valuesOf(head, "connection").some((value) => !/^(close|keep-alive)$/i.test(value)) ||
    valuesOf(head, "connection").length > 1
  )
}

export const readRequests = (bytes: Buffer): Reading => {
  const requests: Array<RawRequest> = []
  let at = 0
  while (at < bytes.length) {
    const end = bytes.indexOf("\r\n\r\n", at)
    if (end === -1) {
      const line = bytes.toString("latin1", at)
      return { requests, rest: /^[A-Z]{1,7} [\x21-\x7e]* ?[^\n]*$/.test(line) ? "incomplete" : "odd" }
    }
    const head = readHead(bytes.toString("latin1", at, end))
    if (head === undefined || isOdd(head)) return { requests, rest: "odd" }
    const after = bytes.subarray(end + 4)
    if (valuesOf(head, "transfer-encoding").length > 0) {
      const read = unchunked(after)
      if (typeof read === "string") return { requests, rest: read }
      requests.push({ ...head, body: read.body })
      at = end + 4 + read.end
    } else {
      const length = Number(valuesOf(head, "content-length")[0] ?? 0)
      if (after.length < length) return { requests, rest: "incomplete" }
      requests.push({ ...head, body: after.subarray(0, length) })
      at = end + 4 + length
    }
    // What follows the last request of a connection is nobody's.
    if (valuesOf(head, "connection").some((value) => /close/i.test(value))) return { requests, rest: "nothing" }
  }
  return { requests, rest: "nothing" }
}
