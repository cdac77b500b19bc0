/**
 * Long work in pieces, one piece in each turn of the event loop, whoever it is for: so what is short never waits for more
 * than one piece.
 */

/** Does a piece of work; false when it was the last one. What it throws ends the work, and is lost. */
export type Piece = () => boolean

const waiting: Array<Piece> = []
let isRunning = false

const next = (): void => {
  const piece = waiting.shift()
  try {
    if (piece?.() === true) waiting.push(piece)
  } finally {
    if (waiting.length > 0) setImmediate(next)
    else isRunning = false
  }
}

/** Does the work in turns to come, beside all other such work. */
export const take = (piece: Piece): void => {
  waiting.push(piece)
  if (isRunning) return
  isRunning = true
  setImmediate(next)
}
