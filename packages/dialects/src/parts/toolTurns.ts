/**
 * The order in which providers want the results of tools: all of a parallel turn right behind it, in the order of the calls, before
 * anything else that is said there.
 */
import type { Part, ToolCallPart, ToolResultPart, Turn } from "../conversation/Conversation.js"
import type { Account } from "../conversation/Problem.js"
import { placeId } from "./toolIds.js"

type Found = { readonly part: ToolResultPart; readonly turn: Turn; isTaken: boolean }

/** Results in the order in which they stand, by the id of their call; those without an id by the name of their tool. */
class Results {
  private readonly byId = new Map<string, Array<Found>>()
  private readonly nameless: Array<Found> = []
  readonly all: Array<Found> = []

  constructor(turns: ReadonlyArray<Turn>) {
    for (const turn of turns) for (const part of turn.parts) if (part.type === "toolResult") this.add(part, turn)
  }

  private add(part: ToolResultPart, turn: Turn): void {
    const found = { part, turn, isTaken: false }
    this.all.push(found)
    if (part.id === undefined) this.nameless.push(found)
    else {
      const same = this.byId.get(part.id)
      if (same === undefined) this.byId.set(part.id, [found])
      else same.push(found)
    }
  }

  /** The first one for a call that no earlier call has taken. */
  take(call: ToolCallPart): ToolResultPart | undefined {
    const known = call.id === undefined ? undefined : this.byId.get(call.id)
    const found =
      known?.find((one) => !one.isTaken) ??
      this.nameless.find((one) => !one.isTaken && (one.part.name === undefined || one.part.name === call.name))
    if (found === undefined) return undefined
    found.isTaken = true
    return found.part
  }
}

const hasTools = (turns: ReadonlyArray<Turn>): boolean =>
  turns.some((turn) => turn.parts.some(({ type }) => type === "toolCall" || type === "toolResult"))

const isResult = ({ type }: Part): boolean => type === "toolResult"
const isCall = (part: Part): part is ToolCallPart => part.type === "toolCall"

const withoutResults = (turn: Turn): Turn | undefined => {
  if (!turn.parts.some(isResult)) return turn
  const parts = turn.parts.filter((part) => !isResult(part))
  return parts.length === 0 ? undefined : { ...turn, role: turn.role === "tool" ? "user" : turn.role, parts }
}

/** Turns of the assistant that stand one behind the other, as one: calls in any of them wait for the same results. */
const joined = (run: ReadonlyArray<Turn>): Turn => {
  const first = run[0] as Turn
  return run.length === 1 ? first : { ...first, isBare: false, parts: run.flatMap((turn) => turn.parts) }
}

/**
 * The turns with each result behind its call: one turn of the role `tool` for all results of one turn of the assistant. Calls and
 * results without ids get such from their place. A call in the middle without its result, and a result without its call, are
 * refused by name; calls at the very end may still wait. The same list where no tool is in it.
 */
export const inCallOrder = (
  turns: ReadonlyArray<Turn>,
  account: Account,
  pathOf: (turn: number, part?: number) => string
): ReadonlyArray<Turn> => {
  if (!hasTools(turns)) return turns
  const results = new Results(turns)
  const ordered: Array<Turn> = []
  for (let at = 0; at < turns.length; at++) {
    const turn = turns[at] as Turn
    if (turn.role !== "assistant") {
      const rest = withoutResults(turn)
      if (rest !== undefined) ordered.push(rest)
      continue
    }
    const run = [turn]
    while (turn.parts.some(isCall) && turns[at + 1]?.role === "assistant") run.push(turns[++at] as Turn)
    const whole = joined(run)
    const isLast = at === turns.length - 1
    let number = 0
    const taken: Array<ToolResultPart> = []
    const parts = whole.parts.map((part) => {
      if (!isCall(part)) return part
      const id = part.id ?? placeId(whole.at, number)
      number++
      const result = results.take(part)
      if (result !== undefined) taken.push({ ...result, id, name: result.name ?? part.name, kind: part.kind })
      else if (!isLast) account.refuse(pathOf(whole.at), `a tool result is missing for call ${id}`)
      return part.id === undefined ? { ...part, id } : part
    })
    ordered.push(number === 0 ? whole : { ...whole, parts })
    if (taken.length > 0) ordered.push({ role: "tool", parts: taken, at: turns[at + 1]?.at ?? whole.at })
  }
  for (const { isTaken, part, turn } of results.all) {
    if (isTaken) continue
    const id = part.id ?? part.name ?? "without an id"
    account.refuse(pathOf(turn.at), `a tool result belongs to a call, and there is none for ${id}`)
  }
  return ordered
}
