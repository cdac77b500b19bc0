/**
 * Ids of objects that providers keep (responses, files, batches, vector stores), as callers get them: encrypted together with
 * the deployment that keeps the object, and bound to who made it. So a request with such an id is routed without memory, after
 * a restart and by every replica that has the secret, and nobody else can use it.
 *
 * The same object always has the same id: clients compare them. That takes a nonce made of what is sealed.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto"
import type { DeploymentId } from "@switchyard/core/Deployment"

/** An object at a provider. */
export interface Kept {
  /** The deployment by which it was made. */
  readonly deployment: DeploymentId
  /** The provider's own id of it. */
  readonly id: string
}

/** Seals ids and opens them again. */
export interface Sealer {
  /** An id for a caller. One that is too long to be sealed, or not an id as providers write them, stays as it is. */
  readonly seal: (kept: Kept, owner: string) => string
  /** What an id stands for; undefined where it was not sealed here, for this owner, and left as it was. */
  readonly open: (id: string, owner: string) => Kept | undefined
}

/** What every sealed id has behind its prefix. */
export const mark = "sy1_"

const nonceBytes = 12
const tagBytes = 16

/** Bytes of a deployment's and a provider's id together; what is longer is not sealed. */
const maxBytes = 1024

/** Characters of a sealed id, at most. */
export const maxLength = 32 + mark.length + Math.ceil(((maxBytes + nonceBytes + tagBytes) * 4) / 3)

/** How providers begin their ids: `resp_`, `file-`, `batch_`, `vs_`. */
const prefixed = /^[A-Za-z][A-Za-z0-9]{0,30}[_-]/

const sealed = /^([A-Za-z][A-Za-z0-9]{0,30}[_-])sy1_([A-Za-z0-9_-]{40,})$/

/** Whether a text looks like a sealed id, of whatever gateway. */
export const isSealed = (text: string): boolean => text.length <= maxLength && sealed.test(text)

const split = "\n"

/**
 * The sealer of a secret, of whatever length; every process that has the same one opens the ids of the others. Undefined takes one
 * of this process's own.
 */
export const make = (secret: string | undefined): Sealer => {
  const material = secret ?? randomBytes(32)
  const keys = Buffer.from(hkdfSync("sha256", material, "", "switchyard sealed ids", 64))
  const encryption = keys.subarray(0, 32)
  const authentication = keys.subarray(32)
  const bound = (prefix: string, owner: string): Buffer => Buffer.from(`${prefix}${split}${owner}`)
  return {
    seal: ({ deployment, id }, owner) => {
      const prefix = prefixed.exec(id)?.[0]
      if (prefix === undefined || deployment.includes(split)) return id
      const plain = Buffer.from(`${deployment}${split}${id}`)
      if (plain.length > maxBytes) return id
      const beside = bound(prefix, owner)
      const nonce = createHmac("sha256", authentication)
        .update(`${beside.length}${split}`)
        .update(beside)
        .update(plain)
        .digest()
        .subarray(0, nonceBytes)
      const cipher = createCipheriv("aes-256-gcm", encryption, nonce).setAAD(beside)
      const text = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
      return `${prefix}${mark}${text.toString("base64url")}`
    },
    open: (id, owner) => {
      const [, prefix = "", text = ""] = id.length > maxLength ? [] : (sealed.exec(id) ?? [])
      const bytes = Buffer.from(text, "base64url")
      // The last characters of base64 have bits to spare: one object has one id.
      if (bytes.length <= nonceBytes + tagBytes || bytes.toString("base64url") !== text) return undefined
      const opening = createDecipheriv("aes-256-gcm", encryption, bytes.subarray(0, nonceBytes))
      opening.setAAD(bound(prefix, owner)).setAuthTag(bytes.subarray(-tagBytes))
      try {
        const plain = Buffer.concat([opening.update(bytes.subarray(nonceBytes, -tagBytes)), opening.final()]).toString()
        const end = plain.indexOf(split)
        return { deployment: plain.slice(0, end) as DeploymentId, id: plain.slice(end + 1) }
      } catch {
        return undefined
      }
    }
  }
}
