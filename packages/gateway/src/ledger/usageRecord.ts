/**
 * What the ledger keeps of a request: read of its end and its journal, and of nothing that was said in it.
 */
import type { Journal } from "@switchyard/core/Journal"
import type { Usage } from "@switchyard/core/Usage"
import { ofDollars } from "@switchyard/ledger/Money"
import type { UsageRecord } from "@switchyard/ledger/UsageRecord"
import type { Ended } from "../edge/calls/ended.js"
import { endingOf } from "../log/requestLine.js"
import type { KeptNames } from "./keptNames.js"
import { sessionOf } from "./session.js"

/** The name of whoever bears the master key. */
const masterName = "(master)"

const noTags: ReadonlyArray<string> = []

/** The group that answered, or was asked last. Where nobody was, a name that no group has says nothing. */
const groupOf = (journal: Journal, { error }: Ended): string | undefined => {
  const entry = journal.answered ?? journal.last
  if (entry !== undefined) return entry.group
  const { fallbacks } = journal
  const hop = fallbacks[fallbacks.length - 1]
  return hop?.to ?? (error?.reason === "UnknownModel" ? undefined : journal.requestedGroup)
}

/** Costs that are no money, from prices that are none, must not spoil a sum. */
const nanoOf = (cost: number | undefined): number => (cost === undefined ? 0 : ofDollars(cost))

const ms = (time: number): number => Math.round(Math.max(0, time) * 100) / 100

const rest = (all: number, ...parts: ReadonlyArray<number>): number =>
  Math.max(
    0,
    parts.reduce((left, part) => left - part, all)
  )

const tokensOf = (usage: Usage | undefined) => {
  if (usage === undefined) return { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 }
  const { cacheWriteTokens: cacheWrite = 0, cachedInputTokens: cacheRead, reasoningTokens: reasoning } = usage
  return {
    input: rest(usage.inputTokens, cacheRead, cacheWrite),
    cacheRead,
    cacheWrite,
    output: rest(usage.outputTokens, reasoning),
    reasoning
  }
}

/** When a request ended: by both clocks, in ms. */
export interface EndedAt {
  readonly monotonic: number
  readonly wall: number
}

/**
 * The record of a request. None is kept of those that were turned away before anybody knew whose they were: whoever has no
 * key must not fill a disk.
 */
export const recordOf = (ended: Ended, at: EndedAt, names: KeptNames): UsageRecord | undefined => {
  const { answeredAt, asked, caller, error, firstContentAt, journal, model, receivedAt, refusal } = ended
  if (caller === undefined) return undefined
  const entry = journal?.answered ?? journal?.last
  const first = firstContentAt ?? (error === undefined && refusal === undefined ? answeredAt : undefined)
  const latency = ms(at.monotonic - receivedAt)
  const tags = asked?.tags ?? caller.tags
  const { cacheRead, cacheWrite, input, output, reasoning } = tokensOf(journal?.usage)
  return {
    id: names.id(ended.id),
    time: Math.round(at.wall - latency),
    caller: caller.isMaster ? masterName : names.optional(caller.name),
    team: names.optional(caller.team),
    user: names.optional(caller.user),
    tags: tags.length === 0 ? noTags : tags.map(names.of),
    operation: ended.operation,
    model: names.optional(model),
    group: journal === undefined ? undefined : names.optional(groupOf(journal, ended)),
    deployment: names.optional(entry?.deployment),
    provider: names.optional(entry?.provider),
    attempts: journal?.spent ?? 0,
    stream: ended.stream === true,
    isHit: journal?.cache === "hit",
    input,
    cacheRead,
    cacheWrite,
    output,
    reasoning,
    cost: nanoOf(journal?.cost),
    ending: endingOf(ended),
    status: ended.status,
    reason: error?.reason ?? refusal?.code,
    latency,
    firstContent: first === undefined ? undefined : ms(first - receivedAt),
    session: asked === undefined ? undefined : sessionOf(asked)
  }
}
