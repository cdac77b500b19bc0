/**
 * Oracle's request signatures, worked out from their description alone: the witness beside what signs.
 */
import { createHash, createSign } from "node:crypto"
import type { Received } from "./upstream.js"

// The key of the HTTP signatures' draft, which Oracle's examples are signed with: public, and nobody's.
const lines = `MIICXgIBAAKBgQDCFENGw33yGihy92pDjZQhl0C36rPJj+CvfSC8+q28hxA161QF
NUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6Z4UMR7EOcpfdUE9Hf3m/hs+F
UR45uBJeDK1HSFHD8bHKD6kv8FPGfJTotc+2xjJwoYi+1hqp1fIekaxsyQIDAQAB
AoGBAJR8ZkCUvx5kzv+utdl7T5MnordT1TvoXXJGXK7ZZ+UuvMNUCdN2QPc4sBiA
QWvLw1cSKt5DsKZ8UETpYPy8pPYnnDEz2dDYiaew9+xEpubyeW2oH4Zx71wqBtOK
kqwrXa/pzdpiucRRjk6vE6YY7EBBs/g7uanVpGibOVAEsqH1AkEA7DkjVH28WDUg
f1nqvfn2Kj6CT7nIcE3jGJsZZ7zlZmBmHFDONMLUrXR/Zm3pR5m0tCmBqa5RK95u
412jt1dPIwJBANJT3v8pnkth48bQo/fKel6uEYyboRtA5/uHuHkZ6FQF7OUkGogc
mSJluOdc5t6hI1VsLn0QZEjQZMEOWr+wKSMCQQCC4kXJEsHAve77oP6HtG/IiEn7
kpyUXRNvFsDE0czpJJBvL/aRFUJxuRK91jhjC68sA7NsKMGg5OXb5I5Jj36xAkEA
gIT7aFOYBFwGgQAQkWNKLvySgKbAZRTeLBacpHMuQdl1DfdntvAyqpAZ0lY0RKmW
G6aFKaqQfOXKCyWoUiVknQJAXrlgySFci/2ueKlIE1QqIiLSZ8V8OlpFLRnb1pzI
7U1yQXnTAEFYM560yJlzUpOb1V4cScGd365tiSMvxLOvTA==`

/** The private key of Oracle's examples. */
export const examplePem =
  ["-----BEGIN RSA PRIVATE", "KEY-----\n"].join(" ") + lines + ["\n-----END RSA PRIVATE", "KEY-----\n"].join(" ")

const needed = ["date", "(request-target)", "host", "content-length", "content-type", "x-content-sha256"]

/** The signature of a request by the key of Oracle's examples. */
export const signatureOf = ({ headers, method, url }: Received): string => {
  const text = needed
    .map((name) => `${name}: ${name === "(request-target)" ? `${method.toLowerCase()} ${url}` : headers[name]}`)
    .join("\n")
  return createSign("RSA-SHA256").update(text).sign(examplePem, "base64")
}

/** Whose key signed a request, as a server finds out; "forged" where the signature is another one, or of something else. */
export const signerOf = (received: Received): string => {
  const { body, headers } = received
  const said = headers.authorization ?? ""
  const fields = Object.fromEntries([...said.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]))
  const isRight =
    said.startsWith('Signature version="1",') &&
    fields.algorithm === "rsa-sha256" &&
    fields.headers === needed.join(" ") &&
    fields.signature === signatureOf(received) &&
    headers["content-length"] === String(body.length) &&
    headers["x-content-sha256"] === createHash("sha256").update(body).digest("base64") &&
    Math.abs(Date.parse(headers.date ?? "") - Date.now()) < 300_000
  return isRight ? String(fields.keyId) : "forged"
}
