/**
 * Requests signed by an AWS account (Signature Version 4).
 */
import type * as NodeCrypto from "node:crypto"
import * as Builtin from "@switchyard/core/Builtin"
import type { AwsDecoder } from "./awsMessage.js"
import { load } from "./packages.js"

/** Keys of an AWS account. */
export interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** A request that is to be signed. */
export interface Unsigned {
  readonly method: string
  readonly origin: string
  /** Path and query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

interface Signer {
  readonly sign: (
    request: object,
    options: { readonly signingDate: Date }
  ) => Promise<{ readonly headers: Readonly<Record<string, string>> }>
}

interface SignatureV4 {
  readonly SignatureV4: new (options: {
    readonly service: string
    readonly region: string
    readonly credentials: Keys
    readonly sha256: unknown
  }) => Signer
}

interface EventStreamCodec {
  readonly EventStreamCodec: new (
    toText: (bytes: Uint8Array) => string,
    fromText: (text: string) => Uint8Array
  ) => { readonly decode: AwsDecoder }
}

const crypto = Builtin.find<typeof NodeCrypto>("node:crypto")

/** SHA-256 as the signer wants it: keyed where it is given a key. */
class Sha256 {
  private readonly hash: NodeCrypto.Hash | NodeCrypto.Hmac

  constructor(secret?: string | Uint8Array) {
    if (crypto === undefined) throw new Error("requests are signed on Node alone")
    this.hash = secret === undefined ? crypto.createHash("sha256") : crypto.createHmac("sha256", secret)
  }

  update(data: string | Uint8Array | ArrayBuffer): void {
    this.hash.update(data instanceof ArrayBuffer ? new Uint8Array(data) : data)
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.hash.digest())
  }

  reset(): void {}
}

/** Signs a request for a service in a region; gives the headers to send beside its own. */
export const sign = async (
  request: Unsigned,
  { keys, region, service }: { readonly keys: Keys; readonly region: string; readonly service: string },
  now: number
): Promise<Readonly<Record<string, string>>> => {
  const { SignatureV4 } = await load<SignatureV4>("@smithy/signature-v4")
  const { host, hostname, pathname, port, protocol, searchParams } = new URL(request.origin + request.path)
  const signer = new SignatureV4({ service, region, credentials: keys, sha256: Sha256 })
  const signed = await signer.sign(
    {
      method: request.method,
      protocol,
      hostname,
      ...(port === "" ? {} : { port: Number(port) }),
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: { host, "content-type": request.headers["content-type"] ?? "application/json" },
      body: request.body
    },
    { signingDate: new Date(now) }
  )
  const { "content-type": _, host: __, ...added } = signed.headers
  return added
}

/** What takes messages out of Amazon's event streams. */
export const awsDecoder = async (): Promise<AwsDecoder> => {
  const { EventStreamCodec } = await load<EventStreamCodec>("@smithy/eventstream-codec")
  const toText = new TextDecoder()
  const fromText = new TextEncoder()
  const codec = new EventStreamCodec(
    (bytes) => toText.decode(bytes),
    (text) => fromText.encode(text)
  )
  return (bytes) => codec.decode(bytes)
}
