/**
 * Counts tokens as OpenAI's models read them, by the optional package `gpt-tokenizer`, in a thread of its own: its tables take a
 * sixth of a second to load and long texts as long to count, which the thread that serves must not spend. It begins at the first count.
 */
import { Worker } from "node:worker_threads"
import { Effect, Option } from "effect"
import { type Encoding, pathOf } from "../../config/findings/tokenizerPackage.js"

const lastPart = (model: string): string => model.slice(model.lastIndexOf("/") + 1).toLowerCase()

/** How a model cuts text; undefined for models of others, of which no package here knows. */
export const encodingOf = (model: string): Encoding | undefined => {
  const name = lastPart(model)
  if (/(^|[-_.])(gpt-?(4o|4\.[15]|[5-9]|oss)|chatgpt-|o[1-9]($|[-_:@.])|codex-)/.test(name)) return "o200k_base"
  return /(^|[-_.])(gpt-?(4|3\.?5)|text-embedding-(3|ada))/.test(name) ? "cl100k_base" : undefined
}

/** Ms that a count may take. */
const patience = 5_000

/** Characters of a text that are cut at once: a single word of a megabyte takes as long as its length squared. */
const slice = 1_024

/** Characters of texts that are counted at all: to hand over more takes the thread that serves several ms. */
const most = 4_000_000

/** What a thread runs: texts of special tokens are texts here. */
const program = `
const { parentPort, workerData } = require("node:worker_threads")
const { countTokens } = require(workerData)
parentPort.on("message", ({ id, texts }) => {
  let tokens = 0
  for (const text of texts) {
    for (let at = 0; at < text.length; at += ${slice}) {
      tokens += countTokens(text.slice(at, at + ${slice}), { allowedSpecial: "all" })
    }
  }
  parentPort.postMessage({ id, tokens })
})
`

const nothing = Effect.succeed(undefined)

interface Told {
  readonly id: number
  readonly tokens: number
}

/** One thread; it keeps no process alive. */
class Thread {
  private readonly worker: Worker
  private readonly waiting = new Map<number, (tokens: number | undefined) => void>()
  private next = 0
  isOver = false

  constructor(path: string) {
    this.worker = new Worker(program, { eval: true, workerData: path })
    this.worker.unref()
    this.worker.on("message", ({ id, tokens }: Told) => this.settle(id, tokens))
    this.worker.on("error", () => this.end())
    this.worker.on("exit", () => this.end())
  }

  /** Undefined when the thread ends before it has counted. */
  count(texts: ReadonlyArray<string>): Effect.Effect<number | undefined> {
    return Effect.async((resume) => {
      if (this.isOver) return resume(nothing)
      const id = this.next++
      this.waiting.set(id, (tokens) => resume(Effect.succeed(tokens)))
      this.worker.postMessage({ id, texts })
      return Effect.sync(() => this.settle(id, undefined))
    })
  }

  /** Ends it, and what is asked of it. */
  end(): void {
    if (this.isOver) return
    this.isOver = true
    for (const id of [...this.waiting.keys()]) this.settle(id, undefined)
    void this.worker.terminate()
  }

  private settle(id: number, tokens: number | undefined): void {
    this.waiting.get(id)?.(tokens)
    this.waiting.delete(id)
  }
}

/** Counts texts; undefined where it cannot: another model's words, no package, more than 4 million characters, or a count that takes longer than 5 seconds. */
export interface Tokenizer {
  readonly count: (model: string, texts: ReadonlyArray<string>) => Effect.Effect<number | undefined>
  readonly close: () => void
}

/** A tokenizer; its threads end with `close`. */
export const make = (): Tokenizer => {
  const threads = new Map<Encoding, Thread>()
  const threadOf = (encoding: Encoding): Thread | undefined => {
    const known = threads.get(encoding)
    if (known !== undefined && !known.isOver) return known
    const path = pathOf(encoding)
    if (path === undefined) return undefined
    const thread = new Thread(path)
    threads.set(encoding, thread)
    return thread
  }
  return {
    count: (model, texts) =>
      Effect.suspend(() => {
        const encoding = encodingOf(model)
        if (texts.reduce((sum, { length }) => sum + length, 0) > most) return nothing
        const thread = encoding === undefined ? undefined : threadOf(encoding)
        if (thread === undefined) return nothing
        return Effect.map(Effect.timeoutOption(thread.count(texts), patience), (counted) => {
          if (Option.isNone(counted)) thread.end()
          return Option.getOrUndefined(counted)
        })
      }),
    close: () => {
      for (const thread of threads.values()) thread.end()
    }
  }
}
