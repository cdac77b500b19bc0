/**
 * Roles of AWS accounts, taken on at Amazon's token service: with an account's keys, or with a token of somebody whom the role trusts.
 */
import { type Auth, clear } from "@switchyard/core/Deployment"
import { domainOf } from "../protocols/awsPlaces.js"
import { environment } from "../protocols/protocol.js"
import { ask } from "./asked.js"
import { type Keys, sign } from "./aws.js"
import type { Lasting } from "./renewed.js"
import { webIdentityOf } from "./webIdentity.js"

const between = (text: string, tag: string): string | undefined =>
  new RegExp(`<${tag}>([^<]+)</${tag}>`).exec(text)?.[1]

const version = "2011-06-15"
const form = { "content-type": "application/x-www-form-urlencoded" }

interface Place {
  readonly origin: string
  readonly path: string
  /** The region that requests are signed for. */
  readonly region: string
}

/** Where the service is: at a region's own address, or at the one that the account names. */
const placeOf = ({ stsEndpoint }: Auth, region: string): Place => {
  if (stsEndpoint === undefined) {
    return { origin: `https://sts.${region}.${domainOf(region)}`, path: "/", region }
  }
  const { host, origin, pathname } = new URL(stsEndpoint)
  const [, own] = /(?:^|\.)sts(?:-fips)?\.([a-z]{2}-[a-z0-9-]+)\./.exec(host) ?? []
  // The service without a region is in Virginia.
  const isGlobal = host === "sts.amazonaws.com"
  return { origin, path: pathname, region: own ?? (isGlobal ? "us-east-1" : region) }
}

const keysIn = (status: number, text: string): Lasting<Keys> => {
  const accessKeyId = between(text, "AccessKeyId")
  const secretAccessKey = between(text, "SecretAccessKey")
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    const code = between(text, "Code")
    const why = between(text, "Message") ?? "no reason given"
    throw new Error(`the role was refused (${status}): ${code === undefined ? "" : `${code}: `}${why}`)
  }
  const until = Date.parse(between(text, "Expiration") ?? "")
  return {
    value: { accessKeyId, secretAccessKey, sessionToken: between(text, "SessionToken") },
    until: Number.isNaN(until) ? undefined : until
  }
}

const asked = (auth: Auth, action: string, more: Readonly<Record<string, string>>): string =>
  new URLSearchParams({
    Action: action,
    Version: version,
    RoleArn: auth.roleArn ?? "",
    RoleSessionName: auth.sessionName ?? "switchyard",
    ...more
  }).toString()

const who = "Amazon's token service"

/** Takes a role on with an account's keys. */
export const assume = async (auth: Auth, keys: Keys, region: string, now: number): Promise<Lasting<Keys>> => {
  const place = placeOf(auth, region)
  const { externalId } = auth
  const body = asked(auth, "AssumeRole", externalId === undefined ? {} : { ExternalId: externalId })
  const request = { method: "POST", origin: place.origin, path: place.path, headers: form, body }
  const headers = { ...form, ...(await sign(request, { keys, region: place.region, service: "sts" }, now)) }
  const { status, text } = await ask(who, place.origin + place.path, { method: "POST", headers, body })
  return keysIn(status, text)
}

/** Takes a role on with a token of somebody whom it trusts: nothing is signed. */
export const assumeWithToken = async (auth: Auth, region: string): Promise<Lasting<Keys>> => {
  if (auth.roleArn === undefined) throw new Error("a web identity token takes a role on: `roleArn` says which")
  const place = placeOf(auth, region)
  const token = await webIdentityOf(clear(auth.webIdentityToken) ?? "", environment)
  const body = asked(auth, "AssumeRoleWithWebIdentity", { WebIdentityToken: token })
  const { status, text } = await ask(who, place.origin + place.path, { method: "POST", headers: form, body })
  return keysIn(status, text.replaceAll(token, "***"))
}
