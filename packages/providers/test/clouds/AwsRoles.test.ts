/**
 * Roles that are taken on at a token service of the tests' own, which checks who asks.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import type { Attempt } from "@switchyard/core/Attempt"
import type { Auth, DeploymentConfig } from "@switchyard/core/Deployment"
import * as Time from "@switchyard/core/Time"
import * as OpenAiCompatible from "@switchyard/providers/OpenAiCompatible"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, Fiber } from "effect"
import { afterEach, vi } from "vitest"
import { answering } from "../support/answering.js"
import { signerOf } from "../support/sigv4.js"
import * as S from "../support/support.js"
import { type Answer, type Upstream, upstream } from "../support/upstream.js"

afterEach(() => vi.unstubAllEnvs())

const token = "eyJhbGciOi.eyJhdWQiOiJzdHMifQ.c2lnbmF0dXJl"
const far = "2099-01-01T00:00:00Z"

const role = (number: number, until = far): Answer => ({
  type: "text/xml",
  body: `<R><Credentials><AccessKeyId>ASIA${number}</AccessKeyId><SecretAccessKey>role-secret-${number}</SecretAccessKey><SessionToken>session-${number}</SessionToken><Expiration>${until}</Expiration></Credentials></R>`
})

const converse = {
  output: { message: { role: "assistant", content: [{ text: "Hi" }] } },
  stopReason: "end_turn",
  usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 }
}

/** Attempts on one deployment, whose account is one. */
const attempts = (sts: Upstream, auth: Auth, more: Partial<DeploymentConfig> = {}): Effect.Effect<Attempt> => {
  const slot = StubLlm.slot("d1", {
    protocol: "bedrock",
    model: "amazon.nova-pro-v1:0",
    location: "eu-west-1",
    auth: { roleArn: "arn:aws:iam::1:role/r", sessionName: "me", stsEndpoint: sts.origin, ...auth },
    ...more
  })
  return Effect.map(Time.now, (now) => StubLlm.attempt(S.chat(), slot, now))
}

const forms = ({ received }: Upstream) => received.map(({ body }) => new URLSearchParams(body.toString("utf8")))

describe("a role that is taken on with a token of somebody whom it trusts", () => {
  it.scopedLive("is asked for without a signature, and signs requests from then on", () =>
    Effect.gen(function* () {
      const sts = yield* upstream((_, number) => role(number))
      const { sent, transport } = answering(() => converse)
      const service = OpenAiCompatible.make(transport)
      const attempt = yield* attempts(sts, { webIdentityToken: token })
      yield* service.call(attempt)
      yield* service.call(attempt)
      const [form] = forms(sts)
      assert.deepStrictEqual(Object.fromEntries(form ?? []), {
        Action: "AssumeRoleWithWebIdentity",
        Version: "2011-06-15",
        RoleArn: "arn:aws:iam::1:role/r",
        RoleSessionName: "me",
        WebIdentityToken: token
      })
      assert.isUndefined(sts.received[0]?.headers.authorization)
      assert.strictEqual(sts.received.length, 1)
      for (const { body, headers, url } of sent) {
        const { host, pathname } = new URL(url)
        const received = {
          method: "POST",
          url: pathname,
          headers: { ...headers, host },
          body: Buffer.from(JSON.stringify(body))
        }
        assert.strictEqual(signerOf(received, "role-secret-1"), "ASIA1 eu-west-1 bedrock")
        assert.strictEqual(headers["x-amz-security-token"], "session-1")
      }
    })
  )

  it.scopedLive("is read anew from its file, a variable, or where a platform keeps it", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "switchyard-token-"))
      const file = join(folder, "token")
      writeFileSync(file, "from.the.file\n")
      vi.stubEnv("MY_OIDC", "from.the.variable")
      vi.stubEnv("MY_OIDC_FILE", file)
      vi.stubEnv("CIRCLE_OIDC_TOKEN_V2", "from.circle.ci")
      const sts = yield* upstream((_, number) => role(number))
      const github = yield* upstream(({ headers, url }) => ({
        body: { value: `${headers.authorization === "Bearer gh" ? "from" : "?"}.github.${url.split("audience=")[1]}` }
      }))
      vi.stubEnv("ACTIONS_ID_TOKEN_REQUEST_URL", `${github.origin}/token?v=1`)
      vi.stubEnv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "gh")
      const { transport } = answering(() => converse)
      const service = OpenAiCompatible.make(transport)
      const given = [file, `oidc/file/${file}`, "oidc/env/MY_OIDC", "oidc/env_path/MY_OIDC_FILE", "oidc/circleci_v2/"]
      for (const webIdentityToken of [...given, "oidc/github/sts.amazonaws.com"]) {
        yield* service.call(yield* attempts(sts, { webIdentityToken }))
      }
      assert.deepStrictEqual(
        forms(sts).map((form) => form.get("WebIdentityToken")),
        [
          "from.the.file",
          "from.the.file",
          "from.the.variable",
          "from.the.file",
          "from.circle.ci",
          "from.github.sts.amazonaws.com"
        ]
      )
      rmSync(folder, { recursive: true })
    })
  )

  it.scopedLive("is asked for once by all who wait, also where the first of them leaves", () =>
    Effect.gen(function* () {
      let open: () => void = () => {}
      const gate = new Promise<void>((resolve) => {
        open = resolve
      })
      const sts = yield* upstream(async (_, number) => {
        await gate
        return role(number)
      })
      const { sent, transport } = answering(() => converse)
      const service = OpenAiCompatible.make(transport)
      const attempt = attempts(sts, { webIdentityToken: token })
      const calls = yield* Effect.forEach(Array.from({ length: 20 }), () =>
        Effect.fork(Effect.flatMap(attempt, (one) => service.call(one)))
      )
      yield* S.eventually(() => sts.received.length === 1)
      const [first, ...others] = calls
      if (first !== undefined) yield* Fiber.interrupt(first)
      open()
      for (const call of others) yield* Fiber.join(call)
      assert.deepStrictEqual([sts.received.length, sent.length], [1, 19])
    })
  )

  const refusal =
    "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>Token TOKEN has expired</Message></Error></ErrorResponse>"
  it.scopedLive("that is refused is an error of credentials that says why and quotes no token", () =>
    Effect.gen(function* () {
      const sts = yield* upstream(() => ({ status: 400, type: "text/xml", body: refusal.replace("TOKEN", token) }))
      const { transport } = answering(() => converse)
      const attempt = yield* attempts(sts, { webIdentityToken: token })
      const error = yield* Effect.flip(OpenAiCompatible.make(transport).call(attempt))
      assert.deepStrictEqual([error.reason, error.code], ["Authentication", "credentials"])
      assert.include(error.providerMessage, "InvalidIdentityToken")
      assert.notInclude(JSON.stringify(error), token)
    })
  )

  it.scopedLive("is no error of credentials where the token service fails or is not there", () =>
    Effect.gen(function* () {
      const failing = yield* upstream(() => ({ status: 503, body: "down" }))
      const { transport } = answering(() => converse)
      const service = OpenAiCompatible.make(transport)
      for (const origin of [failing.origin, "http://127.0.0.1:1"]) {
        const attempt = yield* attempts({ origin, received: [] }, { webIdentityToken: token })
        const error = yield* Effect.flip(service.call(attempt))
        assert.deepStrictEqual([error.reason, error.code], ["Unavailable", "credentials"])
      }
    })
  )

  it.scopedLive("names what is missing: the role, or the token's place", () =>
    Effect.gen(function* () {
      const sts = yield* upstream((_, number) => role(number))
      const { transport } = answering(() => converse)
      const service = OpenAiCompatible.make(transport)
      const cases: ReadonlyArray<readonly [Auth, RegExp]> = [
        [{ webIdentityToken: token, roleArn: undefined }, /roleArn/],
        [{ webIdentityToken: "oidc/env/NOT_SET_ANYWHERE" }, /NOT_SET_ANYWHERE/],
        [{ webIdentityToken: "oidc/elsewhere/x" }, /oidc\/elsewhere/],
        [{ webIdentityToken: "/no/such/file" }, /cannot be read \(ENOENT\)/]
      ]
      for (const [auth, why] of cases) {
        const error = yield* Effect.flip(service.call(yield* attempts(sts, auth)))
        assert.strictEqual(error.reason, "Authentication")
        assert.match(error.providerMessage ?? "", why)
      }
      assert.strictEqual(sts.received.length, 0)
    })
  )
})

describe("a role that is taken on with keys", () => {
  it.scopedLive("is asked for at the address that the account names, signed for that service", () =>
    Effect.gen(function* () {
      const sts = yield* upstream((_, number) => role(number))
      const { transport } = answering(() => converse)
      const attempt = yield* attempts(sts, { accessKeyId: "AKIAOWN", secretAccessKey: "own-secret", externalId: "ext" })
      yield* OpenAiCompatible.make(transport).call(attempt)
      const [first] = sts.received
      if (first === undefined) return assert.fail("nothing came")
      assert.strictEqual(signerOf(first, "own-secret"), "AKIAOWN eu-west-1 sts")
      assert.strictEqual(forms(sts)[0]?.get("ExternalId"), "ext")
    })
  )

  it.scopedLive("is taken on again when the provider refuses its keys, and once for all who were refused", () =>
    Effect.gen(function* () {
      const sts = yield* upstream((_, number) => role(number))
      const bedrock = yield* upstream(({ headers }) =>
        headers["x-amz-security-token"] === "session-1"
          ? { status: 403, body: { message: "The security token included in the request is expired" } }
          : { body: converse }
      )
      const service = yield* S.serviceOver(S.undici)
      const keys = { accessKeyId: "AKIAOWN", secretAccessKey: "own-secret" }
      const call = Effect.flatMap(attempts(sts, keys, { baseUrl: bedrock.origin }), (attempt) => service.call(attempt))
      const refused = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.flip(call), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual([...new Set(refused.map(({ reason }) => reason))], ["Authentication"])
      yield* Effect.forEach(Array.from({ length: 10 }), () => call, { concurrency: "unbounded" })
      assert.strictEqual(sts.received.length, 2)
    })
  )
})
