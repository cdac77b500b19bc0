/** A gateway with a key that may spend, as tests of what it keeps start and ask it. */
import { Effect } from "effect"

/** What `serve` prints once it can be asked. */
export const listens = /switchyard listens on (http:\/\/127\.0\.0\.1:\d+) /

/** The key of joe, which `settings` has. */
const joe = "sk-joe-of-test-1"

/** A configuration before one priced upstream; `more` are lines of it. */
export const settings = (url: string, more = "") => `server: { port: 0 }
masterKey: sk-master-of-test-1
keys:
  - { name: joe, key: ${joe}, budget: { limit: 10, window: 1 day } }
deployments:
  - { id: east, group: smart, model: m, baseUrl: ${JSON.stringify(url)}, apiKey: sk-upstream-1, inputPrice: 1000, outputPrice: 1000 }
${more}`

/** The status of a call. */
export const chat = (url: string, { content = "Hi", key = joe, model = "smart" } = {}) =>
  Effect.promise(async () => {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify({ model, messages: [{ role: "user", content }] })
    })
    await response.text()
    return response.status
  })
