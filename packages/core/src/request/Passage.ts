/**
 * A request that is no payload of a dialect: for what providers keep (files, batches, vector stores, jobs), and for endpoints that an
 * operator lets through. Its path goes on below the provider's own address, and its answer comes as bytes.
 */
import type { Dialect } from "../dialect/Dialect.js"
import { ofBytes } from "../dialect/StreamEvent.js"

/** What is asked, below the address of a provider's API. */
export interface Passage {
  readonly method: "GET" | "POST" | "DELETE" | "PUT" | "PATCH"
  /** Begins with a slash; as it goes on the wire. */
  readonly path: string
  /** Without a question mark; empty for none. */
  readonly query: string
  /** What goes along, names in lower case: no credentials, and nothing that belongs to one connection. */
  readonly headers: Readonly<Record<string, string>>
  /** Undefined where there is none, or where the request is a form. */
  readonly body: string | Uint8Array | undefined
}

/** Statuses that say something of what was asked, and nothing of the deployment: whoever asked reads them. */
export const isAnswer = (status: number): boolean =>
  (status >= 200 && status < 300) ||
  (status >= 400 && status < 500 && ![401, 402, 403, 407, 408, 421, 425, 429].includes(status))

const nothing = (): undefined => undefined

const keepers: ReadonlySet<string> = new Set(["openai", "responses", "azure"])

/** Whether an API of this protocol may keep files and batches as OpenAI's does. */
export const keepsObjects = (protocol: string): boolean => keepers.has(protocol)

/** The dialect of such requests: nothing is read of them, and their answers are bytes. */
export const passing: Dialect = {
  name: "passage",
  request: {
    promptFields: [],
    textFields: [],
    problems: () => [],
    model: nothing,
    streams: () => true,
    size: () => ({ total: 0, longest: 0 }),
    maxOutputTokens: () => 0,
    largestOutputBound: () => 0,
    choices: () => 1,
    tools: () => [],
    responseFormat: nothing,
    hasImages: () => false,
    asksForReasoning: nothing,
    serviceTier: nothing,
    settings: () => ({}),
    turns: () => [],
    beginning: () => ({ system: undefined, user: undefined }),
    states: () => [],
    overlay: (below, above) => ({ ...below, ...above }),
    prefilled: nothing,
    isBeyondText: () => true
  },
  answer: {
    failure: nothing,
    usage: nothing,
    characters: () => 0,
    view: (body) => ({
      text: "",
      reasoning: "",
      refusal: undefined,
      toolCalls: [],
      finishReason: undefined,
      usage: undefined,
      body
    }),
    identity: ({ id }) => ({ id, model: undefined, finishReasons: [] }),
    turn: nothing,
    issued: () => [],
    isFiltered: () => false,
    error: nothing,
    reader: () => ({ read: (_, facts) => facts.bytesCame(), text: () => "" }),
    fold: () => ({ add: () => {}, answer: () => ({}) }),
    events: () => [],
    canned: (_, text) => ({ text }),
    cannedEvents: (_, text) => [ofBytes(new TextEncoder().encode(JSON.stringify({ text })))]
  }
}
