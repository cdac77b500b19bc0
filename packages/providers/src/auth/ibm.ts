/**
 * Bearer tokens of IBM Cloud, which an API key is exchanged for.
 */
import { type Env, variable } from "../protocols/protocol.js"
import { ask } from "./asked.js"
import { Renewed } from "./renewed.js"
import type { Token } from "./tokens.js"

const usual = "https://iam.cloud.ibm.com/identity/token"

interface Answer {
  readonly access_token?: unknown
  /** Seconds. */
  readonly expires_in?: unknown
  /** Unix seconds. */
  readonly expiration?: unknown
  readonly errorCode?: unknown
  readonly errorMessage?: unknown
}

const parsed = (text: string): Answer => {
  try {
    const json: unknown = JSON.parse(text)
    return typeof json === "object" && json !== null ? json : {}
  } catch {
    return {}
  }
}

const untilOf = ({ expiration, expires_in: seconds }: Answer, now: number): number | undefined => {
  if (typeof seconds === "number") return now + seconds * 1000
  return typeof expiration === "number" ? expiration * 1000 : undefined
}

/** Tokens of an IBM Cloud account, by its API key; at the place that `WATSONX_IAM_URL` names, where it is set. */
export const ibmTokens = (key: string | undefined, env: Env, now: () => number): Renewed<Token> =>
  new Renewed(async () => {
    if (key === undefined) throw new Error("there is no API key: set `apiKey`, or WATSONX_API_KEY in the environment")
    const { status, text } = await ask("IBM's IAM", variable(env, "WATSONX_IAM_URL") ?? usual, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
      body: new URLSearchParams({ grant_type: "urn:ibm:params:oauth:grant-type:apikey", apikey: key }).toString()
    })
    const answer = parsed(text)
    if (typeof answer.access_token !== "string" || answer.access_token === "") {
      const said = [answer.errorCode, answer.errorMessage].filter((part) => typeof part === "string").join(": ")
      throw new Error(`IBM's IAM gave no token (${status})${said === "" ? "" : `: ${said}`}`)
    }
    return { value: { token: answer.access_token }, until: untilOf(answer, now()) }
  })
