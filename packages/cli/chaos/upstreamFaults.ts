/** What may be wrong with one answer of an upstream. */
import { Dice, seedOf } from "@switchyard/testing/Dice"
import type { Behaviour } from "@switchyard/testing/FakeProvider"
import { type Ask, type Kind, paceOf, replyTo } from "./ask.js"
import * as Raw from "./rawFaults.js"

interface Fault {
  readonly name: string
  readonly weight: number
  /** Default: all. */
  readonly kinds?: ReadonlyArray<Kind>
  readonly behaviour: (ask: Ask, dice: Dice, chunks: number) => Behaviour
}

/** Share of the answers that something is wrong with. */
const share = 0.35

const raw = (name: string, takeOver: (ask: Ask) => Raw.TakeOver, kinds?: ReadonlyArray<Kind>, weight = 1): Fault => ({
  name,
  weight,
  ...(kinds === undefined ? {} : { kinds }),
  behaviour: (ask) => ({ takeOver: takeOver(ask) })
})

const status = (name: string, weight: number, behaviour: Behaviour): Fault => ({
  name,
  weight,
  behaviour: () => behaviour
})

const streams: ReadonlyArray<Kind> = ["stream"]
const json: ReadonlyArray<Kind> = ["chat", "embedding"]
const absurd = [
  { prompt_tokens: 1.7e308, completion_tokens: 1e300 },
  { prompt_tokens: 4_294_967_295, completion_tokens: -1 },
  { prompt_tokens: -1e6, completion_tokens: 2 ** 53 }
] as const

const faults: readonly [Fault, ...ReadonlyArray<Fault>] = [
  {
    name: "slow answer",
    weight: 4,
    behaviour: (_, dice) => ({ latencyMs: 300 + dice.below(1_000), headersMs: dice.below(900) })
  },
  status("no answer", 2, { hang: true }),
  status("429", 3, { status: 429 }),
  status("429 with Retry-After", 3, { status: 429, headers: { "retry-after-ms": "150" } }),
  status("500", 3, { status: 500 }),
  status("503", 3, { status: 503 }),
  status("503 with Retry-After", 2, { status: 503, headers: { "retry-after": "1" } }),
  status("502 as a page", 1, { status: 502, error: "<html><body>Bad Gateway</body></html>" }),
  status("401", 1, { status: 401 }),
  status("400", 1, { status: 400 }),
  status("closed before headers", 4, { refuse: true }),
  status("closed after headers", 3, { cutAfterHeaders: true }),
  status("silent after headers", 2, { stallAfterHeaders: true }),
  status("page with status 200", 1, { status: 200, takeOver: Raw.noHttp() }),
  { name: "absurd usage", weight: 3, behaviour: (_, dice) => ({ usage: dice.pick(absurd) }) },
  { name: "truncated JSON", weight: 3, kinds: json, behaviour: () => ({ truncateJson: true }) },
  { name: "announced too long", weight: 2, kinds: json, behaviour: () => ({ wrongContentLength: true }) },
  raw("announced too short", Raw.shortLength),
  raw("reset midway", Raw.resetMidway, undefined, 2),
  raw("endless headers", Raw.endlessHeaders),
  raw("endless body", Raw.endlessBody),
  raw("gzip unasked", Raw.packed),
  raw("100 Continue", Raw.continued),
  raw("byte by byte", Raw.dribbled, undefined, 2),
  raw("trailing bytes", Raw.trailing),
  raw("deep JSON", Raw.deepJson, json),
  raw("deep event", Raw.deepEvent, streams, 2),
  raw("endless comments", Raw.manyComments, streams),
  raw("flood of empty deltas", Raw.emptyDeltas, streams),
  {
    name: "stream cut",
    weight: 6,
    kinds: streams,
    behaviour: (_, dice, chunks) => ({ cutAfterChunks: dice.below(chunks + 1) })
  },
  {
    name: "stream silent",
    weight: 4,
    kinds: streams,
    behaviour: (_, dice, chunks) => ({ stallAfterChunks: dice.below(chunks + 1) })
  },
  {
    name: "malformed event",
    weight: 3,
    kinds: streams,
    behaviour: (_, dice, chunks) => ({ malformedAfterChunks: dice.below(chunks + 1) })
  },
  {
    name: "error event",
    weight: 3,
    kinds: streams,
    behaviour: (_, dice, chunks) => ({ errorEventAfterChunks: dice.below(chunks + 1) })
  },
  { name: "end without a finish", weight: 2, kinds: streams, behaviour: () => ({ finishReason: null, done: false }) }
]

/** What one upstream does when it gets a call for the nth time. */
export interface Choice {
  /** Undefined when nothing is wrong. */
  readonly fault: string | undefined
  readonly behaviour: Behaviour
}

/** The same for the same seed, upstream, call and time, whatever else happens. */
export const choose = (ask: Ask, seed: number, upstream: string, nth: number, calm: boolean): Choice => {
  const { chunks, gapMs, latencyMs } = paceOf(ask, seed)
  const good: Behaviour = { reply: replyTo(ask), chunks, latencyMs, headersMs: latencyMs, chunkGapMs: gapMs }
  const dice = new Dice(seedOf(seed, upstream, ask.id, nth))
  if (calm || dice.roll() >= share) return { fault: undefined, behaviour: good }
  const [first, ...others] = faults.filter(({ kinds }) => kinds === undefined || kinds.includes(ask.kind))
  const { behaviour, name } = dice.weighted([first ?? faults[0], ...others])
  return { fault: name, behaviour: { ...good, ...behaviour(ask, dice, chunks) } }
}
