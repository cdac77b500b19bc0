/**
 * Requests signed by an Oracle Cloud account's API key: HTTP signatures by RSA.
 */
import type * as NodeCrypto from "node:crypto"
import type * as NodeFs from "node:fs/promises"
import * as Builtin from "@switchyard/core/Builtin"
import { type Auth, clear } from "@switchyard/core/Deployment"
import type { Env } from "../protocols/protocol.js"
import type { Unsigned } from "./aws.js"
import { type Lasting, Renewed } from "./renewed.js"

/** Who signs. */
export interface OciKey {
  /** `tenancy/user/fingerprint` */
  readonly id: string
  readonly key: NodeCrypto.KeyObject
}

const crypto = Builtin.find<typeof NodeCrypto>("node:crypto")
const files = Builtin.find<typeof NodeFs>("node:fs/promises")

const first = (...values: ReadonlyArray<string | undefined>): string | undefined =>
  values.find((value) => value !== undefined && value !== "")

/** Variables hold keys in one line. */
const pemOf = (text: string): string => text.replaceAll("\\n", "\n").replaceAll("\r\n", "\n")

const isPem = (text: string): boolean => text.includes("-----BEGIN")

const fileText = async (path: string): Promise<string> => {
  if (files === undefined) throw new Error("files are read on Node alone")
  try {
    return await files.readFile(path, "utf8")
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    throw new Error(`the file of the private key cannot be read (${String(code ?? "unknown")}): ${path}`)
  }
}

const keyObject = (pem: string): NodeCrypto.KeyObject => {
  if (crypto === undefined) throw new Error("requests are signed on Node alone")
  let key: NodeCrypto.KeyObject
  try {
    key = crypto.createPrivateKey(pemOf(pem))
  } catch {
    // The parser's own words may quote the key.
    throw new Error("the private key is no PEM that can be read")
  }
  if (key.asymmetricKeyType !== "rsa") throw new Error("the private key is none of RSA")
  return key
}

/** Parts of an account that are missing, by our names and those of the environment. */
const partsOf = (auth: Auth, env: Env) => ({
  tenancy: first(auth.tenancy, env.OCI_TENANCY),
  user: first(auth.user, env.OCI_USER),
  fingerprint: first(auth.fingerprint, env.OCI_FINGERPRINT),
  privateKey: first(clear(auth.privateKey), env.OCI_KEY, env.OCI_KEY_FILE)
})

const variables = {
  tenancy: "OCI_TENANCY",
  user: "OCI_USER",
  fingerprint: "OCI_FINGERPRINT",
  privateKey: "OCI_KEY or OCI_KEY_FILE"
} as const

/** What is missing of an account, as a sentence; undefined where nothing is. */
const missingOf = (auth: Auth, env: Env): string | undefined => {
  const parts = partsOf(auth, env)
  const names = (Object.keys(variables) as ReadonlyArray<keyof typeof variables>).filter(
    (name) => parts[name] === undefined
  )
  return names.length === 0
    ? undefined
    : `the account lacks ${names.map((name) => `\`auth.${name}\` (${variables[name]})`).join(", ")}`
}

/** The key of an account, read once. */
export const ociKeys = (auth: Auth, env: Env): Renewed<OciKey> =>
  new Renewed(async (): Promise<Lasting<OciKey>> => {
    const missing = missingOf(auth, env)
    if (missing !== undefined) throw new Error(missing)
    const { fingerprint, privateKey = "", tenancy, user } = partsOf(auth, env)
    const pem = isPem(privateKey) ? privateKey : await fileText(privateKey)
    return { value: { id: `${tenancy}/${user}/${fingerprint}`, key: keyObject(pem) }, until: Number.POSITIVE_INFINITY }
  })

/** In the order in which they are signed. */
const names = ["date", "(request-target)", "host", "content-length", "content-type", "x-content-sha256"] as const

/** Signs a request; gives the headers to send beside its own. */
export const signOci = (
  { body, headers, method, origin, path }: Unsigned,
  { id, key }: OciKey,
  now: number
): Readonly<Record<string, string>> => {
  if (crypto === undefined) throw new Error("requests are signed on Node alone")
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body
  const signed = {
    date: new Date(now).toUTCString(),
    "(request-target)": `${method.toLowerCase()} ${path}`,
    host: new URL(origin).host,
    "content-length": String(bytes.length),
    "content-type": headers["content-type"] ?? "application/json",
    "x-content-sha256": crypto.createHash("sha256").update(bytes).digest("base64")
  }
  const text = names.map((name) => `${name}: ${signed[name]}`).join("\n")
  const signature = crypto.sign("sha256", new TextEncoder().encode(text), key).toString("base64")
  return {
    date: signed.date,
    "x-content-sha256": signed["x-content-sha256"],
    authorization: `Signature version="1",keyId="${id}",algorithm="rsa-sha256",headers="${names.join(" ")}",signature="${signature}"`
  }
}
