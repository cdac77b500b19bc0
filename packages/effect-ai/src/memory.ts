/**
 * What has to come back with the model's own turns, and what @effect/ai's `Chat` leaves behind: it builds an answer's message from
 * words and calls alone, so signatures of thoughts would be gone with the turn, and providers refuse the thoughts of a tool's turn
 * without them.
 */
import type * as Prompt from "@effect/ai/Prompt"
import type { JsonObject } from "@switchyard/core/Json"
import type { Piece } from "@switchyard/dialects/Pieces"

/** States of an answer, each at the place of its part. */
export interface Known {
  readonly thoughts: ReadonlyArray<JsonObject | undefined>
  readonly calls: ReadonlyArray<JsonObject | undefined>
}

/** Answers that are remembered; the oldest is forgotten first. */
const most = 1_000

type Word = readonly [kind: string, text: string]

const key = (words: ReadonlyArray<Word>): string => JSON.stringify(words)

const wordOf = (part: Prompt.AssistantMessagePart): ReadonlyArray<Word> => {
  if (part.type === "text" || part.type === "reasoning") return [[part.type, part.text]]
  return part.type === "tool-call" ? [["call", part.id]] : []
}

const wordOfPiece = (piece: Piece): ReadonlyArray<Word> => {
  if (piece.type === "text" || piece.type === "reasoning") return [[piece.type, piece.text]]
  return piece.type === "call" ? [["call", piece.id]] : []
}

/** One model's answers, by what they say. */
export class Memory {
  private readonly answers = new Map<string, Known>()

  /** Keeps what came with an answer; nothing where nothing has to come back. */
  keep(pieces: ReadonlyArray<Piece>): void {
    const thoughts = pieces.flatMap((piece) => (piece.type === "reasoning" ? [piece.state] : []))
    const calls = pieces.flatMap((piece) => (piece.type === "call" ? [piece.state] : []))
    if ([...thoughts, ...calls].every((state) => state === undefined)) return
    const name = key(pieces.flatMap(wordOfPiece))
    this.answers.delete(name)
    this.answers.set(name, { thoughts, calls })
    for (const oldest of this.answers.keys()) {
      if (this.answers.size <= most) break
      this.answers.delete(oldest)
    }
  }

  /** What came with the answer that says this; undefined when it came from elsewhere, or too long ago. */
  recall(content: ReadonlyArray<Prompt.AssistantMessagePart>): Known | undefined {
    return this.answers.size === 0 ? undefined : this.answers.get(key(content.flatMap(wordOf)))
  }
}
