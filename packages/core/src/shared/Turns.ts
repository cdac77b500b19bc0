/**
 * Long work in pieces: some ms of it in each turn of the event loop, whoever it is for, so that what is short never waits
 * for more than that and one piece.
 */

/** Does a piece of work; false when it was the last one. Must not throw. */
export type Piece = () => boolean

/** Ms of a turn for all such work together. */
const most = 8

const waiting: Array<Piece> = []
let isRunning = false

const turn = (): void => {
  const until = performance.now() + most
  try {
    do {
      const piece = waiting.shift()
      if (piece?.() === true) waiting.push(piece)
    } while (waiting.length > 0 && performance.now() < until)
  } finally {
    if (waiting.length > 0) setImmediate(turn)
    else isRunning = false
  }
}

/** Does the work in turns to come, beside all other such work. */
export const take = (piece: Piece): void => {
  waiting.push(piece)
  if (isRunning) return
  isRunning = true
  setImmediate(turn)
}
