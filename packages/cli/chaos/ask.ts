/**
 * What callers ask and what a right answer is. Both follow from the number of the call, so that whoever reads an answer
 * knows what it should say, and every upstream gives the same one.
 */
import { Dice, seedOf } from "@switchyard/testing/Dice"
import { embeddingOf } from "@switchyard/testing/FakeProvider"

export type Kind = "chat" | "stream" | "embedding"

/** One call. */
export interface Ask {
  readonly id: number
  readonly kind: Kind
  /** Words of the answer. */
  readonly words: number
  /** Characters that the prompt has beside what matters. */
  readonly padding: number
}

/** How fast upstreams answer a call when nothing is wrong with them. */
export interface Pace {
  readonly latencyMs: number
  readonly chunks: number
  readonly gapMs: number
}

const vocabulary = [
  "wire",
  "größe",
  "語",
  "river",
  "naïve",
  "✓",
  "north",
  "ключ",
  "a",
  "🜁 ",
  "\\n",
  '"quoted"'
] as const

const promptOf = ({ id, padding, words }: Ask): string => `request ${id} wants ${words} words${".".repeat(padding)}`

const inputsOf = (ask: Ask): ReadonlyArray<string> => [promptOf(ask), `and ${ask.id}`]

/** The body of a call. */
export const bodyOf = (ask: Ask): string =>
  JSON.stringify(
    ask.kind === "embedding"
      ? { model: "vectors", input: inputsOf(ask) }
      : {
          model: "smart",
          messages: [{ role: "user", content: promptOf(ask) }],
          ...(ask.kind === "stream"
            ? { stream: true, ...(ask.id % 2 === 0 ? {} : { stream_options: { include_usage: true } }) }
            : {})
        }
  )

/** Where a call goes. */
export const pathOf = ({ kind }: Ask): string => (kind === "embedding" ? "/v1/embeddings" : "/v1/chat/completions")

/** Under which a gateway's log has it. */
export const requestIdOf = (id: number): string => `chaos-${id}`

/** The call that a body was made of; undefined for any other body. */
export const askIn = (body: unknown): Ask | undefined => {
  const { input, messages, stream } = body as {
    readonly messages?: ReadonlyArray<{ readonly content?: unknown }>
    readonly input?: ReadonlyArray<unknown>
    readonly stream?: unknown
  }
  const found = /^request (\d+) wants (\d+) words(\.*)$/.exec(String(messages?.[0]?.content ?? input?.[0]))
  if (found === null) return undefined
  const [, id, words, dots = ""] = found
  const kind = input !== undefined ? "embedding" : stream === true ? "stream" : "chat"
  return { id: Number(id), words: Number(words), padding: dots.length, kind }
}

/** The text of a right answer. */
export const replyTo = ({ id, words }: Ask): string => {
  const dice = new Dice(seedOf("reply", id))
  return `answer ${id}: ${Array.from({ length: words }, () => dice.pick(vocabulary)).join(" ")} end`
}

/** The vectors of a right answer. */
export const vectorsFor = (ask: Ask): ReadonlyArray<ReadonlyArray<number>> =>
  inputsOf(ask).map((input) => embeddingOf(input))

/** Most answer at once; one in twenty takes longer than a gateway that drains waits. */
export const paceOf = ({ id, words }: Ask, seed: number): Pace => {
  const dice = new Dice(seedOf(seed, "pace", id))
  const isLong = dice.roll() < 0.05
  return {
    latencyMs: dice.below(isLong ? 2_000 : 60),
    chunks: Math.min(words + 2, isLong ? 50 : 2 + dice.below(20)),
    gapMs: isLong ? 90 : dice.below(20)
  }
}
