/**
 * A line of a journal: JSON, an array whose first member says what it is, so that one is written in a microsecond. A later
 * version may add members at an array's end and change none: it reads journals that an earlier one left behind.
 */
import type { Spent } from "../money/Lease.js"
import type { UsageRecord } from "../record/UsageRecord.js"

const isRecord = 0
const isSpent = 1

/** Characters that are written of a text at most; the store cuts to bytes. */
const most = 256

/** Tags that are written of a record at most. */
const mostTags = 64

/** Names come again and again: a text that was quoted is kept, up to so many. */
const mostKnown = 4_096
const known = new Map<string, string>()

const quote = (text: string): string => JSON.stringify(text.length > most ? text.slice(0, most) : text)

const quoteName = (text: string | undefined): string => {
  if (text === undefined) return "null"
  const before = known.get(text)
  if (before !== undefined) return before
  const quoted = quote(text)
  if (known.size >= mostKnown) known.clear()
  if (text.length <= most) known.set(text, quoted)
  return quoted
}

const number = (value: number): number => (value > 0 && value < Number.POSITIVE_INFINITY ? value : 0)

const numberOrNull = (value: number | undefined): number | string => (value === undefined ? "null" : number(value))

const tagsOf = (tags: ReadonlyArray<string>): string =>
  tags.length === 0 ? "[]" : `[${tags.slice(0, mostTags).map(quoteName).join(",")}]`

/** A record as a line, with its end. */
export const ofRecord = (r: UsageRecord): string =>
  `[${isRecord},${quote(r.id)},${number(r.time)},${quoteName(r.caller)},${quoteName(r.team)},${quoteName(r.user)},${tagsOf(r.tags)},${quoteName(
    r.operation
  )},${quoteName(r.model)},${quoteName(r.group)},${quoteName(r.deployment)},${quoteName(r.provider)},${number(r.attempts)},${
    r.stream ? 1 : 0
  },${r.isHit ? 1 : 0},${number(r.input)},${number(r.cacheRead)},${number(r.cacheWrite)},${number(r.output)},${number(
    r.reasoning
  )},${number(r.cost)},${quoteName(r.ending)},${numberOrNull(r.status)},${quoteName(r.reason)},${number(r.latency)},${numberOrNull(
    r.firstContent
  )},${r.session === undefined ? "null" : quote(r.session)}]\n`

/** What a window spent as a line, with its end. A length of 0 stands for one that never ends. */
export const ofSpent = (s: Spent): string =>
  `[${isSpent},${quoteName(s.scope)},${quoteName(s.key)},${number(s.length)},${number(s.cost)},${number(s.time)}]\n`

/** What a line says. */
export interface Told {
  readonly record?: UsageRecord
  readonly spent?: Spent
}

/** Reads a line; undefined for one that is torn or not understood. */
export const read = (line: string): Told | undefined => {
  let members: unknown
  try {
    members = JSON.parse(line)
  } catch {
    return undefined
  }
  if (!Array.isArray(members)) return undefined
  // Whatever is no amount or text is made one by the store.
  const at = <A>(index: number): A => (members[index] ?? undefined) as A
  if (members[0] === isSpent && members.length >= 6) {
    const spent: Spent = {
      scope: at(1),
      key: at(2),
      length: at<number>(3) || Number.POSITIVE_INFINITY,
      cost: at(4),
      time: at(5)
    }
    return { spent }
  }
  if (members[0] !== isRecord || members.length < 27) return undefined
  return {
    record: {
      id: at(1),
      time: at(2),
      caller: at(3),
      team: at(4),
      user: at(5),
      tags: at(6),
      operation: at(7),
      model: at(8),
      group: at(9),
      deployment: at(10),
      provider: at(11),
      attempts: at(12),
      stream: at(13) === 1,
      isHit: at(14) === 1,
      input: at(15),
      cacheRead: at(16),
      cacheWrite: at(17),
      output: at(18),
      reasoning: at(19),
      cost: at(20),
      ending: at(21),
      status: at(22),
      reason: at(23),
      latency: at(24),
      firstContent: at(25),
      session: at(26)
    }
  }
}
