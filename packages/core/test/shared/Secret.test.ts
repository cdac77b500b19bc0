import { assert, describe, it } from "@effect/vitest"
import * as Secret from "@switchyard/core/Secret"
import { FastCheck as fc } from "effect"

const pw = "hunter2pw"

describe("a URL with a password or a key", () => {
  it.each([
    `user:${pw}@host/v1`,
    `https//user:${pw}@host`,
    `https:/user:${pw}@host/v1`,
    `https:user:${pw}@host/v1`,
    `//user:${pw}@host`,
    `ht!tp://u:${pw}@x`,
    `httpss://user:${pw}@host`,
    `https://user:${pw}@host:99999/v1`,
    `https://user:p@${pw}@host name/v1`,
    `http s://x/?token=${pw}`,
    `https://x /?sig=${pw}`,
    `HTTPS://USER:${pw}@HOST/V1`,
    `Https//user:${pw}@host`,
    `https:\\\\user:${pw}@host\\v1`,
    `https://us\ter:${pw}@host`,
    `\thttps://user:${pw}@host`,
    `https://user:${pw}%40host/v1`,
    `user:${pw}%40host/v1`,
    `https://user%3A${pw}@host/v1`,
    `https://user:${pw}%2540host`,
    `https://user:${pw}＠host`,
    `https://${pw}@host/v1`,
    `https://user:${pw}`,
    `user:${pw}/v1`,
    `https://user/${pw}@host/v1`,
    `https://user:12/${pw}@host/v1`,
    `https://user:12?${pw}@host/v1`,
    `https://user:12#${pw}@host/v1`,
    `https://bob@corp.example:${pw}`,
    `https://host/v1?api-key=${pw}`,
    `https://host/v1?whatever=${pw}`,
    `https://host/v1?${pw}`,
    `https://host/v1?a=b&key=${pw}&c=d`,
    `https://host/v1;key=${pw}`,
    `https://host/v1%3Fkey=${pw}`,
    `https://host/v1?key%3D${pw}`,
    `https://host/v1#access_token=${pw}`,
    `host/v1?key=${pw}`,
    `redis://:${pw}@host:6379/0`,
    `postgresql://user:${pw}@host/db?sslmode=require`,
    `http://user:${pw}@proxy:3128`,
    `https://host/?email=a@b.example&key=${pw}`
  ])("is shown without it: %s", (url) => {
    for (const name of ["baseUrl", "api_base", "http", "https", "redis_url", "endpoint", "database_url"]) {
      assert.notInclude(Secret.shownText(name, url), pw)
    }
    assert.notInclude(Secret.maskUrl(url), pw)
  })

  it.each([
    "https://api.openai.com/v1",
    "http://localhost:8000/v1",
    "localhost:8000/v1",
    "htp://host.example/v1",
    "https:/host.example/v1",
    "https://x.openai.azure.com/openai/deployments/gpt-4o?api-version=2024-10-21",
    "https://api.cloudflare.com/client/v4/ai/run/@cf/meta",
    "http://[::1]:8000/v1",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference to the environment
    "https://${HOST}:${PORT:-8080}/v1",
    "redis://cache:6379/0"
  ])("is shown as it is where it holds none: %s", (url) => {
    assert.strictEqual(Secret.shownText("baseUrl", url), url)
  })

  it("is shown with what is not secret in it, so that a mistake is found", () => {
    assert.strictEqual(
      Secret.maskUrl(`https://u:${pw}@host:80/v1?key=${pw}&a=b`),
      "https://<secret>@host:80/v1?key=<secret>&a=b"
    )
    assert.strictEqual(Secret.maskUrl(`ht!tp://u:${pw}@host/v1`), "<secret>@host/v1")
    assert.strictEqual(Secret.maskUrl("https://host/a1b2c3d4e5f6a7b8c9d0e1f2/v1"), "https://host/<secret>/v1")
  })

  it("is found under any name by its look", () => {
    for (const text of [`https://u:${pw}@h`, `u:${pw}@h/v1`, `//u:${pw}@h`, `https:\\\\u:${pw}@h`]) {
      assert.notInclude(Secret.shownText("note", text), pw)
    }
    assert.strictEqual(Secret.shownText("model", "claude-3@20240620"), "claude-3@20240620")
    assert.strictEqual(Secret.shownText("model", "llama3:8b"), "llama3:8b")
  })

  it("tells its secrets: the password, a user without one, and every value that is not known to be plain", () => {
    const found = Secret.inUrl("https://user:p%40ss@host/v1?api-version=2024-10-21&sig=a%2Fbc%3D")
    assert.includeMembers([...found], ["p%40ss", "p@ss", "a%2Fbc%3D", "a/bc="])
    assert.notIncludeMembers([...found], ["user", "2024-10-21"])
    assert.deepStrictEqual(Secret.inUrl("https://token-only@host"), ["token-only"])
    assert.deepStrictEqual(Secret.inUrl("https://host/v1"), [])
    assert.deepStrictEqual(Secret.inUrl("no url"), [])
  })
})

describe("names", () => {
  it.each(["apiKey", "api_key", "x-api-key", "client_secret", "password", "token", "azure_ad_token", "cookie", "dsn"])(
    "%s holds a secret",
    (name) => assert.isTrue(Secret.isSecretName(name))
  )
  it.each(["firstTokenTimeout", "maxTokens", "input_cost_per_token", "Idempotency-Key", "model", "baseUrl"])(
    "%s holds none",
    (name) => assert.isFalse(Secret.isSecretName(name))
  )
})

describe("a scrubber", () => {
  it("takes every spelling of a secret out of any text, and what has the shape of a key", () => {
    const text = fc.stringMatching(/^[!-;=?-~]{8,40}$/)
    fc.assert(
      fc.property(text, fc.string(), fc.string(), (secret, before, after) => {
        const scrubber = new Secret.Scrubber([secret])
        const base64 = Buffer.from(secret).toString("base64").replace(/=+$/, "")
        const spelt = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), base64]
        for (const one of spelt)
          assert.notInclude(scrubber.clean(`${before} ${one} ${after}`).replaceAll(Secret.masked, "\n"), one)
      }),
      { numRuns: 200 }
    )
    const scrubber = new Secret.Scrubber([])
    for (const key of [
      "sk-proj-****************AbCd",
      "AIzaSyA1234567890abcdefghi",
      "Bearer abc123def456",
      "eyJhbGciOiJIUzI1NiIsInR5cCI"
    ]) {
      assert.notInclude(scrubber.clean(`bad key ${key}.`), key.slice(-8))
    }
    const plain = "Rate limit reached for gpt-4o; basic usage of the api_key_management page"
    assert.strictEqual(scrubber.clean(plain), plain)
  })

  it("is not held up by texts that are made to be", () => {
    const scrubber = new Secret.Scrubber(["secret-4711"])
    for (const piece of ["key-", "sk-", "eyJ", "bearer ", " ", "org ", "/", ":", "@", "?a=b&", "x:y/", "%25"]) {
      const text = piece.repeat(100_000)
      assert.isString(Secret.withoutAccounts(scrubber.clean(text)))
      assert.isString(Secret.maskUrl(text.slice(0, 100_000)))
      assert.isBoolean(Secret.isUrl(text))
    }
  })

  it("cuts long texts after taking the secrets out", () => {
    const scrubber = new Secret.Scrubber(["secret-4711"])
    assert.notInclude(scrubber.text(`${"x".repeat(95)}secret-4711`, 100), "secr")
  })
})

describe("a provider's text", () => {
  it.each([
    "Rate limit reached for gpt-4o in organization org-AbCdEf123456 on tokens per min",
    "limit of 40,000 tokens (org: 7f3c2b1a-1111-2222-3333-444455556666, model: claude)",
    "project proj_AbCdEf123456 has no access",
    "for organization `org_01abcdefgh` service tier"
  ])("is told without the operator's account: %s", (text) => {
    const told = Secret.withoutAccounts(text)
    assert.include(told, "(account)")
    assert.notMatch(told, /AbCdEf|7f3c2b1a|01abcdefgh/)
  })
})
