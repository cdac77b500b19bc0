/**
 * Amazon's Signature Version 4, worked out from its description alone: the witness beside the package that signs.
 */
import { createHash, createHmac } from "node:crypto"
import type { Received } from "./upstream.js"

const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex")
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest()

const escaped = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

/** A request, its signed headers in the order of their names. */
export interface Signable {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Buffer
}

/** The signature of a request in a scope, `date/region/service/aws4_request`. */
export const signatureOf = (
  { body, headers, method, path, query }: Signable,
  secret: string,
  scope: string,
  at: string
): string => {
  const canonical = [
    method,
    path.split("/").map(escaped).join("/"),
    [...new URLSearchParams(query)]
      .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
      .sort()
      .join("&"),
    ...headers.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, " ")}`),
    "",
    headers.map(([name]) => name).join(";"),
    sha256(body)
  ].join("\n")
  const [date = "", region = "", service = ""] = scope.split("/")
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), "aws4_request")
  return hmac(key, ["AWS4-HMAC-SHA256", at, scope, sha256(canonical)].join("\n")).toString("hex")
}

/** Whose key signed a request, for which region and service; "forged" where the signature is another one. */
export const signerOf = ({ body, headers, method, url }: Received, secret: string): string => {
  const [, id = "", scope = "", names = "", signature = ""] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
      headers.authorization ?? ""
    ) ?? []
  const [path = "", query = ""] = url.split("?", 2)
  const signed = names.split(";").map((name) => [name, headers[name] ?? ""] as const)
  const own = signatureOf({ method, path, query, headers: signed, body }, secret, scope, headers["x-amz-date"] ?? "")
  if (own !== signature || !names.split(";").includes("host")) return "forged"
  const [, region, service] = scope.split("/")
  return `${id} ${region} ${service}`
}
