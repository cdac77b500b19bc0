import * as LlmRequest from "@switchyard/core/LlmRequest"
import { sampler } from "../chance/Distribution.js"
import type { Draws } from "../chance/Draws.js"
import type { Asked } from "../upstream/Asked.js"
import type { TraceEntry } from "./Trace.js"
import type { Source } from "./WorkloadModel.js"

/** A request to come. */
export interface Planned {
  readonly request: LlmRequest.LlmRequest
  readonly asked: Asked
}

/** Turns of one session; of a source without sessions each has one. */
export interface Plan {
  readonly turns: ReadonlyArray<Planned>
  /** Ms from an answer to the next turn, one fewer than turns. */
  readonly pauses: ReadonlyArray<number>
}

interface Details {
  readonly model: string
  readonly stream: boolean
  readonly tags: ReadonlyArray<string> | undefined
  readonly says: boolean
}

/** No prompt is longer, however long its session. */
const longestPrompt = 200_000

let words = ""

/** A part of one long text is a view of it: a text for each request would be a fifth of all that a simulation allocates. */
const promptOf = (tokens: number): string => {
  const length = tokens * 4
  if (words.length < length) words = Buffer.alloc(Math.max(length, longestPrompt * 4), "x").toString("latin1")
  return words.slice(0, length)
}

const planned = (asked: Asked, { model, says, stream, tags }: Details): Planned => ({
  asked,
  request: LlmRequest.chat(
    {
      model,
      // What estimates go by: four characters are a token.
      messages: [{ role: "user", content: promptOf(asked.inputTokens) }],
      stream,
      ...(says ? { max_tokens: asked.outputTokens } : {})
    },
    { sessionKey: asked.session, tags }
  )
})

/** Different for each request, and the same in every variant. */
const luckOf = (source: number, plan: number, turn: number): number =>
  (Math.imul(plan, 0x9e3779b1) ^ Math.imul(turn, 0x85ebca6b) ^ Math.imul(source + 1, 0xc2b2ae35)) | 0

const tokens = (value: number): number => Math.max(1, Math.round(value))

/** Draws what a source sends next: one request, or all turns of a session. */
export const plans = (source: Source, index: number, draws: Draws): (() => Plan) => {
  const input = sampler(source.inputTokens ?? { median: 500, p95: 3000 })
  const output = sampler(source.outputTokens ?? { median: 200, p95: 800 })
  const { prefix, sessions } = source
  const turnsOf = sampler(sessions?.turns ?? { median: 4, p95: 12 })
  const think = sampler(sessions?.think ?? { median: 8000, p95: 40_000 })
  let count = 0
  return () => {
    const number = count++
    const kind = prefix === undefined ? 0 : Math.floor(draws.uniform() * (prefix.kinds ?? 1))
    const start = prefix === undefined ? undefined : { name: `${index}/${kind}`, tokens: prefix.tokens }
    const session = sessions === undefined ? undefined : `s${index}-${number}`
    const turns: Array<Planned> = []
    const pauses: Array<number> = []
    let said = prefix?.tokens ?? 0
    const length = sessions === undefined ? 1 : Math.max(1, Math.round(turnsOf(draws)))
    for (let turn = 0; turn < length; turn++) {
      const inputTokens = Math.min(longestPrompt, said + tokens(input(draws)))
      const outputTokens = tokens(output(draws))
      said = inputTokens + outputTokens
      const details = {
        model: source.model,
        stream: draws.happens(source.streams ?? 1),
        tags: source.tags,
        says: source.maxTokens === true
      }
      turns.push(
        planned({ luck: luckOf(index, number, turn), inputTokens, outputTokens, session, prefix: start }, details)
      )
      if (turn > 0) pauses.push(think(draws))
    }
    return { turns, pauses }
  }
}

/** The request of a trace's entry; `model` where it names none that is served. */
export const ofEntry = (
  { inputTokens, outputTokens, session, stream }: TraceEntry,
  index: number,
  model: string
): Planned =>
  planned(
    { luck: luckOf(0, index, 0), inputTokens, outputTokens, session, prefix: undefined },
    { model, stream, tags: undefined, says: false }
  )
