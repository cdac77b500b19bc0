import type { Api, FakeApi } from "./fakeApi.js"

/** The APIs of providers, each also the name of a group over the one that speaks it. */
export const apis = ["chat", "responses", "messages", "gemini"] as const satisfies ReadonlyArray<Api>

const protocols: Readonly<Record<Api, string>> = {
  chat: "openai",
  responses: "responses",
  messages: "anthropic",
  gemini: "gemini"
}

/** A deployment on each provider, `on-API`, in a group of the API's name, or of `group`. */
export const deploymentsOf = (fakes: ReadonlyArray<FakeApi>, group?: string) =>
  fakes.map(({ api, url }) => ({
    id: `on-${api}`,
    group: group ?? api,
    model: `${api}-model`,
    protocol: protocols[api],
    baseUrl: api === "messages" || api === "gemini" ? url : `${url}/v1`,
    apiKey: `sk-upstream-${api}-0123456789`
  }))
