/**
 * Requests signed by an AWS account (Signature Version 4).
 */
import type * as NodeCrypto from "node:crypto"
import * as Builtin from "@switchyard/core/Builtin"
import { type Auth, clear } from "@switchyard/core/Deployment"
import type { AwsDecoder } from "./awsMessage.js"
import { load } from "./packages.js"
import { type Lasting, Renewed } from "./renewed.js"

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

interface CredentialProviderNode {
  readonly defaultProvider: (options: {
    readonly profile?: string
  }) => () => Promise<Keys & { readonly expiration?: Date | undefined }>
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

const between = (text: string, tag: string): string | undefined =>
  new RegExp(`<${tag}>([^<]+)</${tag}>`).exec(text)?.[1]

/** Takes a role on with an account's keys. */
const assume = async (auth: Auth, keys: Keys, region: string, now: number): Promise<Lasting<Keys>> => {
  const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
  const body = new URLSearchParams({
    Action: "AssumeRole",
    Version: "2011-06-15",
    RoleArn: auth.roleArn ?? "",
    RoleSessionName: auth.sessionName ?? "switchyard",
    ...(auth.externalId === undefined ? {} : { ExternalId: auth.externalId })
  }).toString()
  const request = {
    method: "POST",
    origin: `https://sts.${region}.${domain}`,
    path: "/",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body
  }
  const headers = { ...request.headers, ...(await sign(request, { keys, region, service: "sts" }, now)) }
  const answer = await fetch(`${request.origin}/`, { method: "POST", headers, body })
  const text = await answer.text()
  const accessKeyId = between(text, "AccessKeyId")
  const secretAccessKey = between(text, "SecretAccessKey")
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new Error(`the role was refused (${answer.status}): ${between(text, "Message") ?? "no reason given"}`)
  }
  const until = Date.parse(between(text, "Expiration") ?? "")
  return {
    value: { accessKeyId, secretAccessKey, sessionToken: between(text, "SessionToken") },
    until: Number.isNaN(until) ? undefined : until
  }
}

const own = async (auth: Auth): Promise<Lasting<Keys>> => {
  const accessKeyId = clear(auth.accessKeyId)
  const secretAccessKey = clear(auth.secretAccessKey)
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    return {
      value: { accessKeyId, secretAccessKey, sessionToken: clear(auth.sessionToken) },
      until: Number.POSITIVE_INFINITY
    }
  }
  const { defaultProvider } = await load<CredentialProviderNode>("@aws-sdk/credential-provider-node")
  const { expiration, ...keys } = await defaultProvider(auth.profile === undefined ? {} : { profile: auth.profile })()
  return { value: keys, until: expiration?.getTime() }
}

/** The keys of an account, and of the role that it takes on, renewed in time. */
export const keysOf = (auth: Auth, region: string, now: () => number): Renewed<Keys> =>
  new Renewed(async () => {
    const found = await own(auth)
    return auth.roleArn === undefined ? found : assume(auth, found.value, region, now())
  })

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
