import type { Deployment } from "@switchyard/core/Deployment"
import { choicesIn, type LlmRequest, largestOutputBound, wordsOf } from "@switchyard/core/LlmRequest"
import { isMedia, type Operation } from "@switchyard/core/Operation"
import type { Outcome } from "@switchyard/core/Outcome"
import { key, type Slot } from "@switchyard/core/Slot"
import * as ModelCatalogue from "../catalogue/ModelCatalogue.js"
import { DecayingHistogram } from "../latency/decayingHistogram.js"

/** Output tokens to reckon with until a deployment is known. */
const assumedOutputTokens = 4096
/** From so many answers on, a deployment is known. */
const enough = 50
/** After this time, in ms, an answer counts for 1/e. */
const fading = 86_400_000
const share = 0.99
/** A bound that an answer came this close to has cut it short: it says nothing of how long it would have been. */
const closeToBound = 0.9
/** No answer has more, whatever its request says. */
const most = 1e8

/** The 99th percentile of lengths; undefined until there are enough. */
class Lengths {
  private readonly histogram = new DecayingHistogram(fading)
  private seen = 0
  private largest = 0
  private known: number | undefined

  record(tokens: number, now: number): void {
    this.histogram.record(tokens, now)
    this.seen++
    if (tokens > this.largest) this.largest = tokens
    this.known = undefined
  }

  /** All samples fade alike, so that it only changes with a new one, until nothing is left. */
  get(now: number): number | undefined {
    if (this.seen < enough) return undefined
    this.known ??= this.histogram.quantile(share, now)
    if (this.known === undefined) this.seen = 0
    return this.known === undefined ? undefined : Math.min(this.known, this.largest)
  }
}

/** Of all answers, and of those that no bound has cut short: who names no bound is not reckoned by those who do. */
class AnswerLengths {
  readonly all = new Lengths()
  readonly whole = new Lengths()
  mean: number | undefined
}

/** The weight of a new answer in the mean. */
const meanWeight = 0.05

const answerLengths = key("answerLengths", () => new AnswerLengths())

const boundOf = (request: LlmRequest, { defaults }: Deployment): number | undefined =>
  wordsOf(request).largestOutputBound(request.body) ?? largestOutputBound(defaults)

const choicesOf = (request: LlmRequest, { defaults }: Deployment): number => {
  const { body, operation } = request
  return Math.max(wordsOf(request).choices(operation, body), choicesIn(operation, defaults))
}

/** Whether an operation's answers cost nothing by their length. */
const writesNothing = (operation: Operation): boolean =>
  operation === "embeddings" || operation === "rerank" || operation === "moderation" || operation === "object"

/** Learns how long a deployment's answers are, reasoning included. Several at once, and what broke off, teach nothing. */
export const learnLength = (slot: Slot, request: LlmRequest, outcome: Outcome, now: number): void => {
  if (outcome._tag !== "Completed" || outcome.usage === undefined || writesNothing(request.operation)) return
  // Of sound and pictures, an estimate knows no tokens.
  if (isMedia(request.operation) && outcome.usage.estimated) return
  if (choicesOf(request, slot.deployment) > 1) return
  const { outputTokens } = outcome.usage
  if (!(outputTokens >= 0)) return
  const lengths = slot.get(answerLengths)
  const { all, mean = outputTokens, whole } = lengths
  const bound = boundOf(request, slot.deployment)
  lengths.mean = mean + meanWeight * (outputTokens - mean)
  all.record(outputTokens, now)
  if (bound === undefined || outputTokens > bound || outputTokens < bound * closeToBound) {
    whole.record(outputTokens, now)
  }
}

const untilKnown = (slot: Slot, model: string): number =>
  Math.min(assumedOutputTokens, ModelCatalogue.find(model, slot.deployment)?.maxOutputTokens ?? assumedOutputTokens)

/**
 * Output tokens that a request may cost on a deployment: the larger of the bounds that it names and of what the
 * deployment's answers have been, for each answer that it asks for. Callers may name a bound that providers ignore.
 */
export const likelyOutput = (request: LlmRequest, slot: Slot, model: string, now: number): number => {
  if (writesNothing(request.operation)) return 0
  const bound = boundOf(request, slot.deployment)
  const { all, whole } = slot.get(answerLengths)
  const learned = (bound === undefined ? whole : all).get(now) ?? untilKnown(slot, model)
  return Math.min(most, Math.max(bound ?? 0, learned) * choicesOf(request, slot.deployment))
}

/** Output tokens that an answer of a deployment has on average; undefined before its first. */
export const usualOutput = (slot: Slot): number | undefined => slot.get(answerLengths).mean

/** Output tokens that an answer is assumed to have where nothing is known. */
const assumedAnswer = 256

/** Output tokens that are to be expected of a request on a deployment: the `usual` ones, but no more than the bound allows. */
export const expectedOutput = (request: LlmRequest, slot: Slot, usual: number = assumedAnswer): number => {
  if (writesNothing(request.operation)) return 0
  const bound = boundOf(request, slot.deployment) ?? most
  return Math.min(bound, usual) * choicesOf(request, slot.deployment)
}
