/**
 * Answers in Responses' dialect that no provider keeps, since they were translated. Their callers refer to them all the same, by
 * `previous_response_id` and by references to items, as OpenAI's API has it by default: what was said is put in the place of those.
 */
import type { StreamEvent } from "@switchyard/core/ChatChunk"
import { arrayOf, isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Hearing, StreamHearing, TellEvent } from "../exchange/hearing.js"

/** Characters that all of them may have; the oldest go first. */
const most = 32 * 1024 * 1024
/** What any value takes beside its characters. */
const eachValue = 16

interface Kept {
  readonly caller: string | undefined
  readonly id: string
  /** All that was said before the answer. */
  readonly input: ReadonlyArray<unknown>
  readonly output: ReadonlyArray<JsonObject>
  readonly size: number
}

const sizeOf = (value: unknown): number => {
  if (typeof value === "string") return value.length + eachValue
  if (typeof value !== "object" || value === null) return eachValue
  let sum = eachValue
  for (const inner of Object.values(value)) sum += sizeOf(inner)
  return sum
}

const itemsOf = (input: unknown): ReadonlyArray<unknown> =>
  typeof input === "string" ? [{ role: "user", content: input }] : arrayOf(input)

/** Names hold anything, and callers write ids: the length says where the one ends and the other begins. */
const keyOf = (caller: string | undefined, id: string): string =>
  caller === undefined ? ` ${id}` : `${caller.length} ${caller}${id}`

/** Remembers answers in the memory of this process, each for who asked for it. */
export class KeptAnswers {
  private readonly answers = new Map<string, Kept>()
  private readonly items = new Map<string, Kept>()
  private size = 0

  constructor(private readonly bound = most) {}

  /** The payload with what it refers to, as far as that is kept here; the same where that is nothing. */
  resolved(body: JsonObject, caller: string | undefined): JsonObject {
    const { input, previous_response_id: previous, ...rest } = body
    const before = typeof previous === "string" ? this.answers.get(keyOf(caller, previous)) : undefined
    const own = itemsOf(input)
    const told = own.map((item) => this.referred(item, caller))
    if (before === undefined) return told.every((item, at) => item === own[at]) ? body : { ...body, input: told }
    this.touch(before)
    return { ...rest, input: [...before.input, ...before.output, ...told] }
  }

  /** Keeps an answer, unless its caller does not want that. `body`: the payload as `resolved` gives it. */
  keep(body: JsonObject, caller: string | undefined, answer: JsonObject): void {
    const { id, output } = answer
    if (body.store === false || typeof id !== "string") return
    const items = arrayOf(output).filter(isJsonObject)
    const input = itemsOf(body.input)
    // What came before counts each time, although it is the same objects: the newest holds it when all others are gone.
    const size = sizeOf(items) + sizeOf(input)
    if (size > this.bound / 4) return
    const kept: Kept = { caller, id, input, output: items, size }
    this.forget(this.answers.get(keyOf(caller, id)))
    this.answers.set(keyOf(caller, id), kept)
    for (const { id: item } of items) if (typeof item === "string") this.items.set(keyOf(caller, item), kept)
    this.size += size
    for (const oldest of this.answers.values()) {
      if (this.size <= this.bound) break
      this.forget(oldest)
    }
  }

  private referred(item: unknown, caller: string | undefined): unknown {
    if (!isJsonObject(item) || typeof item.id !== "string") return item
    // A reference may leave its type out.
    const isReference = item.type === "item_reference" || (item.type === undefined && item.role === undefined)
    const kept = isReference ? this.items.get(keyOf(caller, item.id)) : undefined
    if (kept === undefined) return item
    this.touch(kept)
    return kept.output.find(({ id }) => id === item.id) ?? item
  }

  /** Who is asked for is the newest again. */
  private touch(kept: Kept): void {
    const key = keyOf(kept.caller, kept.id)
    if (this.answers.delete(key)) this.answers.set(key, kept)
  }

  private forget(kept: Kept | undefined): void {
    if (kept === undefined || !this.answers.delete(keyOf(kept.caller, kept.id))) return
    this.size -= kept.size
    for (const { id } of kept.output) {
      const key = keyOf(kept.caller, String(id))
      if (this.items.get(key) === kept) this.items.delete(key)
    }
  }
}

const last: ReadonlySet<unknown> = new Set(["response.completed", "response.incomplete"])

class RememberingStream implements StreamHearing {
  private tell: TellEvent | undefined
  private through: TellEvent = () => undefined

  constructor(
    private readonly inner: StreamHearing,
    private readonly keep: (answer: JsonObject) => void
  ) {}

  read(event: StreamEvent, tell: TellEvent): boolean {
    return this.inner.read(event, this.onWay(tell))
  }

  end(tell: TellEvent, isWhole?: boolean): void {
    this.inner.end(this.onWay(tell), isWhole)
  }

  /** The same for the same `tell`, of which a stream has one. */
  private onWay(tell: TellEvent): TellEvent {
    if (tell === this.tell) return this.through
    this.tell = tell
    this.through = (event) => {
      const { response, type } = event.json as JsonObject
      if (last.has(type) && isJsonObject(response)) this.keep(response)
      tell(event)
    }
    return this.through
  }
}

/** Hears answers, and tells of each that is over. */
export const remembering = (hearing: Hearing, keep: (answer: JsonObject) => void): Hearing => ({
  ...hearing,
  answer: (body) => {
    const said = hearing.answer(body)
    if (typeof said !== "string") keep(said)
    return said
  },
  stream: () => new RememberingStream(hearing.stream(), keep)
})
