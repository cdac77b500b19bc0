/**
 * A line of a journal: JSON, an array whose first member says what it is, so that one is written in a microsecond. A later
 * version may add members at an array's end and change none: it reads journals that an earlier one left behind.
 */
import type { Spent } from "../money/Lease.js"
import type { UsageRecord } from "../record/UsageRecord.js"
import type { LineBuffer } from "./lineBuffer.js"

const isRecord = 0
const isSpent = 1

/** Tags that are written of a record at most. */
const mostTags = 64

const comma = 44
const open = 91
const close = 93
const lineEnd = 10
const zero = 48
const one = 49

const flag = (buffer: LineBuffer, isSet: boolean): void => {
  buffer.byte(comma)
  buffer.byte(isSet ? one : zero)
}

const number = (buffer: LineBuffer, value: number | undefined): void => {
  buffer.byte(comma)
  buffer.numberOrNull(value)
}

const name = (buffer: LineBuffer, text: string | undefined): void => {
  buffer.byte(comma)
  buffer.name(text)
}

const tagsOf = (buffer: LineBuffer, tags: ReadonlyArray<string>): void => {
  buffer.byte(comma)
  buffer.byte(open)
  for (let at = 0; at < tags.length && at < mostTags; at++) {
    if (at > 0) buffer.byte(comma)
    buffer.name(tags[at])
  }
  buffer.byte(close)
}

const end = (buffer: LineBuffer): void => {
  buffer.byte(close)
  buffer.byte(lineEnd)
}

/** Writes a record as a line, with its end. */
export const ofRecord = (buffer: LineBuffer, r: UsageRecord): void => {
  buffer.begin()
  buffer.byte(open)
  buffer.number(isRecord)
  buffer.byte(comma)
  buffer.text(r.id)
  number(buffer, r.time)
  name(buffer, r.caller)
  name(buffer, r.team)
  name(buffer, r.user)
  tagsOf(buffer, r.tags)
  name(buffer, r.operation)
  name(buffer, r.model)
  name(buffer, r.group)
  name(buffer, r.deployment)
  name(buffer, r.provider)
  number(buffer, r.attempts)
  flag(buffer, r.stream)
  flag(buffer, r.isHit)
  number(buffer, r.input)
  number(buffer, r.cacheRead)
  number(buffer, r.cacheWrite)
  number(buffer, r.output)
  number(buffer, r.reasoning)
  number(buffer, r.cost)
  name(buffer, r.ending)
  number(buffer, r.status)
  name(buffer, r.reason)
  number(buffer, r.latency)
  number(buffer, r.firstContent)
  buffer.byte(comma)
  buffer.textOrNull(r.session)
  end(buffer)
}

/** Writes what a window spent as a line, with its end. A length of 0 stands for one that never ends. */
export const ofSpent = (buffer: LineBuffer, s: Spent): void => {
  buffer.begin()
  buffer.byte(open)
  buffer.number(isSpent)
  name(buffer, s.scope)
  name(buffer, s.key)
  number(buffer, s.length)
  number(buffer, s.cost)
  number(buffer, s.time)
  end(buffer)
}

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
