/**
 * From the error codes of sockets, TLS and HTTP clients to what a transport error means.
 */
import { TransportError, type TransportErrorKind } from "./wire.js"

const kinds: Readonly<Record<string, TransportErrorKind>> = {
  UND_ERR_CONNECT_TIMEOUT: "connectTimeout",
  UND_ERR_SOCKET: "reset",
  UND_ERR_INFO: "reset",
  UND_ERR_HEADERS_TIMEOUT: "reset",
  UND_ERR_BODY_TIMEOUT: "reset",
  UND_ERR_ABORTED: "aborted",
  UND_ERR_CLOSED: "aborted",
  UND_ERR_DESTROYED: "aborted",
  ECONNREFUSED: "connect",
  EHOSTUNREACH: "connect",
  ENETUNREACH: "connect",
  ENETDOWN: "connect",
  EHOSTDOWN: "connect",
  EADDRNOTAVAIL: "connect",
  EMFILE: "noConnection",
  ENFILE: "noConnection",
  ENOBUFS: "noConnection",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  ENOTFOUND: "dns",
  EPROTO: "tls",
  SELF_SIGNED_CERT_IN_CHAIN: "tls",
  DEPTH_ZERO_SELF_SIGNED_CERT: "tls",
  HOSTNAME_MISMATCH: "tls",
  INVALID_CA: "tls",
  INVALID_PURPOSE: "tls",
  PATH_LENGTH_EXCEEDED: "tls"
}

const families: ReadonlyArray<readonly [RegExp, TransportErrorKind]> = [
  [/^EAI_/, "dns"],
  [/^ERR_(?:TLS|SSL)_|^CERT_|_CERT_|^UNABLE_TO_/, "tls"],
  [/^HPE_|^UND_ERR_/, "protocol"]
]

interface Known {
  readonly code: string
  readonly syscall: string | undefined
}

/** The first error code along the chain of causes: HTTP clients wrap the socket's error, some twice. */
const knownOf = (error: unknown): Known | undefined => {
  let current = error
  for (let depth = 0; depth < 6 && typeof current === "object" && current !== null; depth++) {
    const { cause, code, name, syscall } = current as Record<"cause" | "code" | "name" | "syscall", unknown>
    if (typeof code === "string") return { code, syscall: typeof syscall === "string" ? syscall : undefined }
    if (name === "HTTPParserError") return { code: "HPE_INVALID", syscall: undefined }
    current = cause
  }
  return undefined
}

/** What undici says of a proxy that refuses, in errors whose codes mean something else. */
const ofProxy = /^Prox(?:y response|y Authentication)/

const kindOf = (known: Known | undefined, connected: boolean): TransportErrorKind => {
  if (known === undefined) return connected ? "reset" : "connect"
  if (known.code === "ETIMEDOUT") return connected && known.syscall !== "connect" ? "reset" : "connectTimeout"
  const kind = kinds[known.code] ?? families.find(([pattern]) => pattern.test(known.code))?.[1]
  return kind ?? (connected ? "reset" : "connect")
}

/** What an error of the network means; `connected` says whether a connection stood when it came. */
export const transportErrorOf = (error: unknown, connected: boolean): TransportError => {
  if (error instanceof Error && ofProxy.test(error.message)) {
    return new TransportError({ kind: "connect", code: "PROXY_REFUSED" })
  }
  const known = knownOf(error)
  return new TransportError({ kind: kindOf(known, connected), ...(known === undefined ? {} : { code: known.code }) })
}

/** The client that a transport is made of died of a bug of its own. */
export const diedError = (connected: boolean): TransportError =>
  new TransportError({ kind: connected ? "reset" : "connect", code: "CLIENT_DIED" })

/** The transport was closed under a request. */
export const closedError = (): TransportError => new TransportError({ kind: "aborted", code: "TRANSPORT_CLOSED" })
