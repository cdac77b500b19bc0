import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"

const { names }: { readonly names: ReadonlyArray<string> } = JSON.parse(
  readFileSync(new URL("../fixtures/provider-names.json", import.meta.url), "utf8")
)

interface Read {
  readonly baseUrl: string | undefined
  readonly isServed: boolean
  readonly said: string
}

const read = (name: string, env: Readonly<Record<string, string>> = {}, params: object = { api_key: "k" }): Read => {
  const list = [{ model_name: "m", litellm_params: { model: `${name}/some-model`, ...params } }]
  const { findings, settings } = LiteLlmConfig.translate({ model_list: list }, env, new Map())
  const [first] = (settings.deployments ?? []) as ReadonlyArray<{ readonly baseUrl?: string }>
  return {
    baseUrl: first?.baseUrl,
    isServed: first !== undefined,
    said: findings.map(({ message }) => message).join("\n")
  }
}

describe("provider names", () => {
  it("every one that LiteLLM 1.108 lists is served, or it is said what is missing", () => {
    assert.strictEqual(names.length, 173)
    const list = names.map((name) => ({
      model_name: name,
      litellm_params: { model: `${name}/some-model`, api_key: "k" }
    }))
    const { findings, settings } = LiteLlmConfig.translate({ model_list: list }, {}, new Map())
    const served = new Set(
      (settings.deployments as ReadonlyArray<{ readonly group: string }>).map(({ group }) => group)
    )
    assert.isAbove(served.size, 90)
    const untold = names.filter((name, index) => {
      const said = findings.filter(({ path }) => path.startsWith(`model_list[${index}]`)).map(({ message }) => message)
      const isTold = /cannot be spoken yet \(.+\)|no endpoint here asks it|only you know/.test(said.join("\n"))
      return served.has(name) ? isTold : !isTold
    })
    assert.deepStrictEqual(untold, [])
    const unknown = read("no-such-provider")
    assert.deepStrictEqual([unknown.isServed, /names no provider/.test(unknown.said)], [false, true])
  })

  it("those of them that answer in OpenAI's dialect beside their own are asked in it, with no base URL written", () => {
    const env = { CLOUDFLARE_ACCOUNT_ID: "acc", OCI_REGION: "eu-frankfurt-1", SNOWFLAKE_ACCOUNT_ID: "org-me" }
    assert.deepStrictEqual(
      ["bytez", "cloudflare", "datarobot", "oci", "snowflake"].map((name) => read(name, env).baseUrl),
      [
        "https://api.bytez.com/models/v2/openai/v1",
        "https://api.cloudflare.com/client/v4/accounts/acc/ai/v1",
        "https://app.datarobot.com/api/v2/genai/llmgw",
        "https://inference.generativeai.eu-frankfurt-1.oci.oraclecloud.com/openai/v1",
        "https://org-me.snowflakecomputing.com"
      ]
    )
    assert.match(read("cloudflare").said, /needs CLOUDFLARE_ACCOUNT_ID in the environment, or an `api_base`/)
  })

  it("names that LiteLLM does not know are found as well, but not where a base URL says that they are an organisation", () => {
    assert.strictEqual(read("siliconflow").baseUrl, "https://api.siliconflow.com/v1")
    assert.strictEqual(read("minimax-coding-plan").baseUrl, "https://api.minimax.io/anthropic")
    const base = "http://127.0.0.1:8000/v1"
    assert.strictEqual(read("google", {}, { api_base: base, api_key: "k" }).baseUrl, base)
  })
})
