import type { IncomingMessage } from "node:http"
import type { Refusal } from "../errors/ErrorBody.js"

const noHost: Refusal = { status: 400, code: "bad_request", message: "the request has no Host header" }

const twoHosts: Refusal = { status: 400, code: "bad_request", message: "the request has more than one Host header" }

const badHost: Refusal = { status: 400, code: "bad_request", message: "the request's Host header names no host" }

const unknownCoding: Refusal = {
  status: 501,
  code: "unsupported_transfer_encoding",
  message: "the only transfer encoding that is known here is chunked"
}

/** An `Expect` header with a word that nobody knows. */
export const unknownExpectation: Refusal = {
  status: 417,
  code: "unknown_expectation",
  message: "the only expectation that is known here is 100-continue"
}

/** Node joins the names of most headers that come twice, but keeps only the first `Host`. */
const hasTwoHosts = (raw: ReadonlyArray<string>): boolean => {
  let found = false
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]
    if (name === undefined || name.length !== 4 || (name !== "host" && name.toLowerCase() !== "host")) continue
    if (found) return true
    found = true
  }
  return false
}

/** What stands in no host: it would begin a path, a user or another host. */
const noHostCharacter = /[\s,/\\?#@"<>]/

/** Most requests name one host, so the last good one is known without a look. */
let lastHost = ""

const isHost = (host: string): boolean => {
  if (host === lastHost) return true
  if (noHostCharacter.test(host)) return false
  lastHost = host
  return true
}

/** What is wrong with a request's framing that Node's parser lets through; undefined when nothing is. */
export const framingRefusal = ({ headers, httpVersion, rawHeaders }: IncomingMessage): Refusal | undefined => {
  if (headers.host === undefined && httpVersion === "1.1") return noHost
  if (hasTwoHosts(rawHeaders)) return twoHosts
  if (headers.host !== undefined && !isHost(headers.host)) return badHost
  const coding = headers["transfer-encoding"]
  return coding === undefined || coding.trim().toLowerCase() === "chunked" ? undefined : unknownCoding
}
