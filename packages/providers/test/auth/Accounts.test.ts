/**
 * Accounts of clouds: Amazon's by its own packages, with keys of the environment and roles that are taken on; Google's and
 * Microsoft's with stand-ins for theirs, which would ask the real ones.
 */
import { assert, describe, it } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import { Effect, TestClock } from "effect"
import { afterEach, vi } from "vitest"
import { answering } from "../support/answering.js"
import * as S from "../support/support.js"

interface Asked {
  readonly made: Array<unknown>
  tokens: number
  fails: boolean
}

const google = vi.hoisted((): Asked => ({ made: [], tokens: 0, fails: false }))
const azure = vi.hoisted((): Asked => ({ made: [], tokens: 0, fails: false }))

vi.mock("google-auth-library", () => ({
  GoogleAuth: class {
    constructor(options: unknown) {
      google.made.push(options)
    }
    getClient() {
      return Promise.resolve({
        credentials: { expiry_date: 3_600_000 },
        getAccessToken: () =>
          google.fails
            ? Promise.reject(new Error("invalid_grant"))
            : Promise.resolve({ token: `ya29.${++google.tokens}` })
      })
    }
    getProjectId() {
      return Promise.resolve("project-of-key")
    }
  }
}))

vi.mock("@azure/identity", () => {
  const credential = (kind: string) =>
    class {
      constructor(...given: ReadonlyArray<unknown>) {
        azure.made.push([kind, ...given])
      }
      getToken(scope: string) {
        azure.made.push(scope)
        return Promise.resolve({ token: `entra.${++azure.tokens}`, expiresOnTimestamp: 3_600_000 })
      }
    }
  return { ClientSecretCredential: credential("secret"), DefaultAzureCredential: credential("default") }
})

afterEach(() => {
  vi.unstubAllGlobals()
  vi.unstubAllEnvs()
  for (const asked of [google, azure]) {
    asked.made.length = 0
    asked.tokens = 0
    asked.fails = false
  }
})

const gemini = {
  candidates: [{ content: { role: "model", parts: [{ text: "Hi" }] }, finishReason: "STOP" }],
  usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 }
}
const chat = {
  id: "c",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }]
}
const converse = {
  output: { message: { role: "assistant", content: [{ text: "Hi" }] } },
  stopReason: "end_turn",
  usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 }
}

const noKey = { apiKey: undefined } as unknown as Partial<DeploymentConfig>

/** Calls twice on one deployment, an hour apart where `later`. */
const twice = (on: Partial<DeploymentConfig>, answer: Readonly<Record<string, unknown>>, later = false) =>
  Effect.gen(function* () {
    const { sent, transport } = answering(() => answer)
    const service = OpenAiCompatible.make(transport)
    const attempt = yield* S.attemptOn(S.chat(), { ...on, ...noKey })
    S.complete(yield* service.call(attempt))
    if (later) yield* TestClock.adjust("2 hours")
    S.complete(yield* service.call(attempt))
    return sent
  })

describe("a Google account", () => {
  const vertex = { protocol: "vertex", model: "gemini-2.5-pro", location: "us-central1" }

  it.effect("asks for a token once for all, in the project of its key, and for another one when that has expired", () =>
    Effect.gen(function* () {
      const sent = yield* twice({ ...vertex, auth: { credentials: '{"type":"service_account"}' } }, gemini)
      assert.deepStrictEqual(
        sent.map(({ headers }) => headers.authorization),
        ["Bearer ya29.1", "Bearer ya29.1"]
      )
      assert.include(sent[0]?.url, "/projects/project-of-key/locations/us-central1/")
      assert.deepStrictEqual(google.made, [
        { scopes: "https://www.googleapis.com/auth/cloud-platform", credentials: { type: "service_account" } }
      ])
      const later = yield* twice({ ...vertex, project: "mine", auth: { credentials: "/keys/key.json" } }, gemini, true)
      assert.deepStrictEqual(
        later.map(({ headers }) => headers.authorization),
        ["Bearer ya29.2", "Bearer ya29.3"]
      )
      assert.include(later[0]?.url, "/projects/mine/")
      assert.deepInclude(google.made[1], { keyFilename: "/keys/key.json" })
    })
  )

  it.effect("that cannot sign in is an error of credentials, and is asked again by the next who calls", () =>
    Effect.gen(function* () {
      google.fails = true
      const { sent, transport } = answering(() => gemini)
      const service = OpenAiCompatible.make(transport)
      const attempt = yield* S.attemptOn(S.chat(), { ...vertex, project: "p", ...noKey })
      const error = yield* Effect.flip(service.call(attempt))
      assert.deepStrictEqual(
        [error.reason, error.code, error.providerMessage],
        ["Authentication", "credentials", "invalid_grant"]
      )
      assert.deepStrictEqual(sent, [])
      google.fails = false
      S.complete(yield* service.call(attempt))
    })
  )
})

describe("an Entra account", () => {
  const on = { protocol: "azure", model: "gpt", baseUrl: "https://a.openai.azure.example" }

  it.effect("is an application's where a secret is given, else what the machine is signed in as", () =>
    Effect.gen(function* () {
      const auth = { cloud: "entra", tenantId: "t", clientId: "c", clientSecret: "s" } as const
      const sent = yield* twice({ ...on, auth }, chat)
      assert.deepStrictEqual(
        sent.map(({ headers }) => headers.authorization),
        ["Bearer entra.1", "Bearer entra.1"]
      )
      yield* twice({ ...on, auth: { cloud: "entra", scope: "api://mine/.default" } }, chat, true)
      assert.deepStrictEqual(azure.made, [
        ["secret", "t", "c", "s"],
        "https://cognitiveservices.azure.com/.default",
        ["default", {}],
        "api://mine/.default",
        "api://mine/.default"
      ])
    })
  )
})

describe("an AWS account", () => {
  const nova = { protocol: "bedrock", model: "amazon.nova-pro-v1:0", location: "eu-west-1" }
  const signer = (authorization: string | undefined): string | undefined =>
    /Credential=([^/]+)\/\d+\/([^/]+)\/([^/]+)\//
      .exec(authorization ?? "")
      ?.slice(1)
      .join(" ")

  it.live("is that of the environment where the deployment names none", () =>
    Effect.gen(function* () {
      vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
      vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret-of-environment")
      vi.stubEnv("AWS_SESSION_TOKEN", "session-of-environment")
      const [sent] = yield* twice(nova, converse)
      assert.strictEqual(signer(sent?.headers.authorization), "AKIAENVIRONMENT eu-west-1 bedrock")
      assert.strictEqual(sent?.headers["x-amz-security-token"], "session-of-environment")
      assert.notInclude(JSON.stringify(sent), "secret-of-environment")
    })
  )

  it.effect("takes a role on with its own keys, once, and again when that has expired", () =>
    Effect.gen(function* () {
      const asked: Array<{ readonly url: string; readonly init: RequestInit }> = []
      vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
        asked.push({ url, init })
        const number = asked.length
        return Promise.resolve(
          new Response(
            `<AssumeRoleResponse><Credentials><AccessKeyId>ASIA${number}</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey>` +
              `<SessionToken>session-${number}</SessionToken><Expiration>1970-01-01T01:00:00Z</Expiration></Credentials></AssumeRoleResponse>`
          )
        )
      })
      const auth = {
        accessKeyId: "AKIAOWN",
        secretAccessKey: "own-secret",
        roleArn: "arn:aws:iam::1:role/r",
        externalId: "ext",
        sessionName: "me"
      }
      const sent = yield* twice({ ...nova, auth }, converse, true)
      assert.deepStrictEqual(
        sent.map(({ headers }) => [signer(headers.authorization), headers["x-amz-security-token"]]),
        [
          ["ASIA1 eu-west-1 bedrock", "session-1"],
          ["ASIA2 eu-west-1 bedrock", "session-2"]
        ]
      )
      assert.strictEqual(asked.length, 2)
      const [first] = asked
      assert.strictEqual(first?.url, "https://sts.eu-west-1.amazonaws.com/")
      const form = new URLSearchParams(String(first?.init.body))
      assert.deepStrictEqual(
        [form.get("Action"), form.get("RoleArn"), form.get("ExternalId"), form.get("RoleSessionName")],
        ["AssumeRole", "arn:aws:iam::1:role/r", "ext", "me"]
      )
      const headers = first?.init.headers as Readonly<Record<string, string>>
      assert.strictEqual(signer(headers.authorization), "AKIAOWN eu-west-1 sts")
    })
  )

  it.effect("whose role is refused is an error of credentials that says why, and tells no key", () =>
    Effect.gen(function* () {
      vi.stubGlobal("fetch", () =>
        Promise.resolve(new Response("<Error><Message>not authorized to assume</Message></Error>", { status: 403 }))
      )
      const auth = { accessKeyId: "AKIAOWN", secretAccessKey: "own-secret", roleArn: "arn:aws:iam::1:role/r" }
      const error = yield* Effect.flip(twice({ ...nova, auth }, converse))
      assert.deepStrictEqual([error.reason, error.code], ["Authentication", "credentials"])
      assert.include(error.providerMessage, "not authorized to assume")
      assert.notInclude(JSON.stringify(error), "own-secret")
    })
  )
})
