import type { BoardEngine } from "./BoardEngine.js"
import type { At } from "./memoryClock.js"

interface Word {
  readonly json: string
  readonly at: number
  readonly until: number
}

/** Boards in this process. */
export const make = (at: At): BoardEngine => {
  const boards = new Map<string, Map<string, Word>>()
  /** The board without what has run out. */
  const current = (name: string, now: number): Map<string, Word> => {
    const board = boards.get(name) ?? new Map<string, Word>()
    for (const [member, { until }] of board) if (until <= now) board.delete(member)
    return board
  }
  return {
    post: (name, member, json, lasts) =>
      at((now) => {
        const board = current(name, now)
        if (lasts > 0) board.set(member, { json, at: now, until: now + lasts })
        else board.delete(member)
        if (board.size > 0) boards.set(name, board)
        else boards.delete(name)
      }),
    read: (name) =>
      at((now) => [...current(name, now)].map(([member, word]) => ({ member, json: word.json, age: now - word.at })))
  }
}
