/**
 * Keeps requests that share a prompt prefix on one deployment, so that the provider's prompt cache is hit: weighted
 * rendezvous hashing (Thaler and Ravishankar, 1998) of a key over the open candidates. A deployment that leaves moves only
 * its own keys, and gets them back when it returns; a changed weight moves only keys of that deployment.
 *
 * The key is the request's `sessionKey`; without one it is the beginning of the prompt: of the first system (or developer)
 * message and of the first user message, so that the turns of one conversation stay together and conversations with the
 * same system prompt still spread. A request with neither is spread at random.
 */
import type { ConfigError } from "@switchyard/core/ConfigError"
import { type Uniform, uniform } from "@switchyard/core/Dice"
import * as Field from "@switchyard/core/Field"
import { arrayOf, isJsonObject } from "@switchyard/core/Json"
import { type LlmRequest, wordsOf } from "@switchyard/core/LlmRequest"
import * as Slot from "@switchyard/core/Slot"
import { Effect, Layer } from "effect"
import type { Candidates } from "../Candidates.js"
import { RoutingStrategy, type Strategy } from "../RoutingStrategy.js"
import { weightedOpen } from "../weighted.js"
import { fmix32, fnv1a } from "./hash.js"

/** Options of the strategy. */
export const Options = Field.options("The strategy that keeps a conversation where its prompt is cached.", {
  /** Characters of the system message, and of the user message, that make the key of a request without a session. Default 1,024. */
  prefixLength: Field.option(
    Field.positiveCount,
    "Characters of the system message, and of the user message, that make the key of a request without a session.",
    1024
  )
})
/** Options of the strategy. */
export type Options = typeof Options.Type

const defaults = Field.defaults(Options)

/** Hashes of a deployment's id: the second decides where the first ones of two deployments are equal. */
interface IdHash {
  readonly first: number
  readonly second: number
}

const secondBasis = 0x2f0b4c47

/** A hash of the first `length` characters of a message's text; undefined when there is no text. */
const textHash = (content: unknown, length: number, from?: number): number | undefined => {
  if (typeof content === "string") return content === "" ? from : fnv1a(content, from, length)
  let hash = from
  let left = length
  for (const part of arrayOf(content)) {
    const text = typeof part === "string" ? part : isJsonObject(part) ? part.text : undefined
    if (typeof text !== "string" || text === "") continue
    hash = fnv1a(text, hash, left)
    left -= text.length
    if (left <= 0) break
  }
  return hash
}

const promptHash = (request: LlmRequest, length: number): number | undefined => {
  const { system, user } = wordsOf(request).beginning(request.operation, request.body)
  return textHash(user, length, textHash(system, length))
}

/** The strategy, from its source of random numbers. */
export const make = (deps: { readonly random: Uniform }, options: Options = {}): Strategy => {
  const length = options.prefixLength ?? defaults.prefixLength
  const ids = Slot.key<IdHash>("idHash", ({ id }) => ({ first: fnv1a(id), second: fnv1a(id, secondBasis) }))

  const rendezvous = (candidates: Candidates, key: number, weighted: boolean): number => {
    let best = -1
    let bestHash = -1
    let bestWeight = 0
    let bestScore = Number.POSITIVE_INFINITY
    for (let i = 0; i < candidates.size; i++) {
      const slot = candidates.at(i)
      const weight = weighted ? candidates.weightAt(i) : 1
      if (weight === 0) continue
      const id = slot.get(ids)
      const hash = fmix32(key ^ id.first)
      if (weight === bestWeight && hash < bestHash) continue
      const score = -Math.log((hash + 0.5) / 2 ** 32) / weight
      if (score > bestScore || !candidates.isReady(i)) continue
      if (score === bestScore && best !== -1) {
        if (fmix32(key ^ id.second) < fmix32(key ^ candidates.at(best).get(ids).second)) continue
      }
      best = i
      bestHash = hash
      bestWeight = weight
      bestScore = score
    }
    return best
  }

  return {
    name: "Sticky",
    select: (candidates) => {
      const { request } = candidates
      const key = request.sessionKey === undefined ? promptHash(request, length) : fnv1a(request.sessionKey)
      if (key === undefined) return weightedOpen(candidates, deps.random)
      const index = rendezvous(candidates, key, true)
      return index === -1 ? rendezvous(candidates, key, false) : index
    }
  }
}

/** Keeps sessions and prompt prefixes on one deployment each. */
export const layerWith = (options: Options): Layer.Layer<RoutingStrategy, ConfigError> =>
  Layer.fresh(
    Layer.effect(
      RoutingStrategy,
      Effect.gen(function* () {
        const valid = yield* Field.decode(Options, options, "sticky")
        return make({ random: yield* uniform }, valid)
      })
    )
  )

/** Keeps sessions and prompt prefixes on one deployment each, with the defaults. */
export const layer: Layer.Layer<RoutingStrategy> = Layer.fresh(Layer.orDie(layerWith({})))
