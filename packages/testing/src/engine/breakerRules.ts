import type { BreakerWord, OpenAsk, ProbeAsk } from "@switchyard/router/BreakerEngine"
import type { Engine, EngineError } from "@switchyard/router/Engine"
import * as MemoryEngine from "@switchyard/router/MemoryEngine"
import { Effect } from "effect"
import { Dice } from "../Dice.js"
import { expect, type Rule } from "./engineRule.js"

/** Nothing runs out within a check, unless it says so. */
const long = 60_000

/** What checks say to an engine, about one breaker. */
const using = ({ engine: { breakers }, run }: { readonly engine: Engine; readonly run: string }, name: string) => {
  const key = `${run} ${name}`
  return {
    key,
    open: (lasts: number, more: Partial<OpenAsk> = {}) =>
      breakers.open({ key, reason: "Unavailable", lasts, trips: 1, permits: 1, ...more }),
    probe: (attempt: string, more: Partial<ProbeAsk> = {}) =>
      breakers.probe({ key, attempt, lease: long, permits: 1, epoch: 0, trips: 1, reason: "Unavailable", ...more }),
    conclude: (attempt: string, succeeded: boolean, enough = 2, forced = false) =>
      breakers.conclude({ key, attempt, succeeded, enough, forced }),
    close: (epoch?: number) => breakers.close(key, epoch),
    hold: (kind: "limit" | "outage", until: number) => breakers.hold(key, kind, until / 2, until),
    isolate: (is: boolean) => breakers.isolate(key, is),
    renew: (attempts: ReadonlyArray<string>, lease = long) =>
      Effect.map(
        breakers.renew(
          attempts.map((attempt) => ({ key, attempt })),
          lease
        ),
        (lost) => lost.map(({ attempt }) => attempt)
      ),
    look: (since = 0) => Effect.map(breakers.look(since), (words) => words.find((word) => word.key === key))
  }
}

/** What of a word has nothing to do with time. */
const shown = (word: BreakerWord | undefined): ReadonlyArray<unknown> =>
  word === undefined
    ? []
    : [
        word.circuit,
        word.lasts > 0,
        word.reason,
        word.trips,
        word.successes,
        word.permits,
        word.probes,
        word.recovered,
        word.isolated,
        word.limit !== undefined,
        word.outage !== undefined
      ]

const lasting = (word: BreakerWord, from: number, to: number): boolean => word.lasts > from && word.lasts <= to

/** What an engine must do with breakers. */
export const rules: ReadonlyArray<Rule> = [
  [
    "a breaker that opened is told to all, and stays open for the longest that anybody said",
    (harness) =>
      Effect.gen(function* () {
        const { look, open } = using(harness, "opened")
        yield* expect("nobody knows it", shown(yield* look()), [])
        const first = yield* open(long)
        yield* expect("open", [first.circuit, lasting(first, long / 2, long)], ["open", true])
        const longer = yield* open(2 * long, { reason: "RateLimited" })
        yield* expect("longer", [longer.reason, lasting(longer, long, 2 * long)], ["RateLimited", true])
        const shorter = yield* open(1)
        yield* expect("shorter is nothing", [shorter.version, shorter.reason], [longer.version, "RateLimited"])
        yield* expect("it is one opening", [longer.epoch, shorter.epoch], [first.epoch, first.epoch])
        yield* expect("all see it", (yield* look())?.version, longer.version)
        yield* expect("once", yield* look(longer.version), undefined)
        yield* expect("after the first", (yield* look(first.version))?.version, longer.version)
      })
  ],
  [
    "after its cooldown one call is let in on trial, and the next when that one has ended",
    (harness) =>
      Effect.gen(function* () {
        const { conclude, open, probe } = using(harness, "trial")
        yield* open(harness.window)
        const early = yield* probe("a")
        yield* expect("not before its time", [early.admitted, early.word.circuit], [false, "open"])
        yield* harness.pass(harness.window + 50)
        const first = yield* probe("a")
        yield* expect("the first", [first.admitted, first.word.circuit, first.word.probes], [true, "halfOpen", 1])
        yield* expect("the same again", (yield* probe("a")).admitted, true)
        const second = yield* probe("b")
        yield* expect("the second", [second.admitted, second.word.probes], [false, 1])
        yield* conclude("a", false)
        yield* expect("a call that says nothing gives it back", (yield* probe("b")).admitted, true)
        yield* conclude("a", false)
        yield* expect("once", (yield* probe("c")).admitted, false)
      })
  ],
  [
    "each success allows one more, and enough of them close it for all",
    (harness) =>
      Effect.gen(function* () {
        const { conclude, look, open, probe } = using(harness, "recovers")
        const opened = yield* open(0, { trips: 3 })
        yield* probe("a")
        const one = yield* conclude("a", true, 3)
        yield* expect("one", [one.circuit, one.successes, one.permits, one.trips], ["halfOpen", 1, 2, 3])
        yield* conclude("a", true, 3)
        yield* expect("told twice it is one", (yield* look())?.successes, 1)
        yield* Effect.all([probe("b"), probe("c")])
        yield* expect("as many as there are", (yield* probe("d")).admitted, false)
        yield* conclude("b", true, 3)
        const closed = yield* conclude("c", true, 3)
        yield* expect("closed", shown(closed), ["closed", false, "Unavailable", 0, 0, 1, 0, true, false, false, false])
        yield* expect("a new epoch", closed.epoch > opened.epoch, true)
        const late = yield* probe("e", { epoch: opened.epoch })
        yield* expect("who comes late learns it", [late.admitted, late.word.circuit], [false, "closed"])
      })
  ],
  [
    "a failure on trial opens it again, and what else was on trial has no say",
    (harness) =>
      Effect.gen(function* () {
        const { conclude, open, probe } = using(harness, "fails")
        yield* open(0)
        yield* Effect.all([probe("a", { permits: 2 }), probe("b", { permits: 2 })])
        const again = yield* open(long, { attempt: "a", trips: 2 })
        yield* expect("open", [again.circuit, again.trips, again.probes], ["open", 2, 0])
        yield* expect("the other succeeds", (yield* conclude("b", true, 1)).circuit, "open")
        yield* expect("or fails", (yield* open(10 * long, { attempt: "b" })).version, again.version)
        yield* expect("by force it counts", (yield* conclude("c", true, 2, true)).circuit, "halfOpen")
        yield* expect("once", (yield* conclude("c", true, 2, true)).circuit, "halfOpen")
        yield* expect("and so does another", (yield* conclude("d", true, 2, true)).circuit, "closed")
      })
  ],
  [
    "the permit of a process that says nothing comes back with its lease, and all are told",
    (harness) =>
      Effect.gen(function* () {
        const { conclude, look, open, probe, renew } = using(harness, "leases")
        const lease = harness.window
        yield* open(0)
        yield* Effect.all([probe("a", { lease, permits: 2 }), probe("b", { lease, permits: 2 })])
        yield* expect("the one is held on", yield* renew(["b"]), [])
        const before = (yield* look())?.version ?? 0
        yield* harness.pass(lease + 50)
        yield* expect("all hear of it", (yield* look(before))?.probes, 1)
        yield* expect("it learns of it", yield* renew(["a", "b"]), ["a"])
        yield* expect("another has it", (yield* probe("c", { permits: 2 })).admitted, true)
        yield* expect("and it no say", (yield* conclude("a", true, 1)).circuit, "halfOpen")
      })
  ],
  [
    "by hand it is closed, and all that providers wished is forgotten",
    (harness) =>
      Effect.gen(function* () {
        const { close, hold, look, open } = using(harness, "reset")
        const opened = yield* open(long)
        const held = yield* hold("limit", long)
        yield* expect("held", [held.limit !== undefined, held.outage], [true, undefined])
        const extended = yield* hold("limit", 2 * long)
        yield* expect("only extended", (extended.limit?.until ?? 0) > (held.limit?.until ?? 0), true)
        yield* expect("never shortened", (yield* hold("limit", 1)).version, extended.version)
        yield* hold("outage", long)
        yield* expect("not by one who knows less", (yield* close(opened.epoch - 1)).circuit, "open")
        yield* expect("by one who knows", shown(yield* close(opened.epoch)).slice(0, 1), ["closed"])
        yield* open(long)
        const reset = yield* close()
        yield* expect(
          "by hand",
          [reset.circuit, reset.limit, reset.outage, reset.recovered, reset.cleared],
          ["closed", undefined, undefined, false, reset.version]
        )
        yield* expect("all see it", (yield* look(extended.version))?.cleared, reset.version)
      })
  ],
  [
    "what an operator took out is out for all, whatever its breaker does",
    (harness) =>
      Effect.gen(function* () {
        const { close, isolate, look } = using(harness, "isolated {x}")
        const out = yield* isolate(true)
        yield* expect("out", out.isolated, true)
        yield* expect("once", (yield* isolate(true)).version, out.version)
        yield* close()
        yield* expect("still", (yield* look())?.isolated, true)
        yield* expect("back", (yield* isolate(false)).isolated, false)
      })
  ],
  [
    "an engine that knows nothing goes on from what it is told",
    (harness) =>
      Effect.gen(function* () {
        const { conclude, probe } = using(harness, "unknown")
        const { admitted, word } = yield* probe("a", { epoch: 5, trips: 4, permits: 2 })
        yield* expect("a trial", [admitted, word.circuit, word.trips, word.permits], [true, "halfOpen", 4, 2])
        yield* expect("made already", (yield* probe("b", { made: true })).admitted, true)
        yield* expect("beyond the permits", (yield* probe("c", { made: true })).word.probes, 3)
        yield* expect("no more", (yield* probe("d")).admitted, false)
        yield* expect("it recovers", (yield* conclude("c", true, 1)).circuit, "closed")
      })
  ],
  [
    "breakers agree with those in memory on any sequence of questions",
    (harness) =>
      Effect.gen(function* () {
        const model = yield* MemoryEngine.make()
        const dice = new Dice(20_261_130)
        for (let round = 0; round < 3; round++) {
          const seen: Array<string> = []
          const subjects = [harness.engine, model].map((engine) =>
            using({ engine, run: `${harness.run} ${round}` }, "any")
          )
          const epochs = subjects.map((): Array<number> => [0])
          for (let step = 0; step < 25; step++) {
            const attempt = `call ${dice.below(5)}`
            const [lasts, trips] = [dice.pick([0, 0, long, 10 * long]), dice.below(4)]
            const [succeeded, forced, made] = [dice.roll() < 0.7, dice.roll() < 0.2, dice.roll() < 0.1]
            const back = dice.below(3)
            const kind = dice.pick([
              "open",
              "probe",
              "probe",
              "probe",
              "conclude",
              "conclude",
              "close",
              "hold"
            ] as const)
            const failed = dice.roll() < 0.5 ? { attempt } : {}
            seen.push(`${kind} ${attempt} ${lasts} ${trips} ${succeeded} ${forced} ${made} ${back}`)
            const answers = yield* Effect.forEach(
              subjects,
              (subject, index): Effect.Effect<readonly [BreakerWord, boolean], EngineError> => {
                const known = epochs[index] ?? []
                const epoch = known[Math.max(0, known.length - 1 - back)] ?? 0
                const plain = (asked: Effect.Effect<BreakerWord, EngineError>) =>
                  Effect.map(asked, (word) => [word, true] as const)
                switch (kind) {
                  case "open":
                    return plain(subject.open(lasts, { trips, ...failed }))
                  case "probe":
                    return Effect.map(
                      subject.probe(attempt, { epoch, made, trips }),
                      ({ admitted, word }) => [word, admitted] as const
                    )
                  case "conclude":
                    return plain(subject.conclude(attempt, succeeded, 2, forced))
                  case "close":
                    return plain(subject.close(succeeded ? epoch : undefined))
                  case "hold":
                    return plain(subject.hold(forced ? "limit" : "outage", long))
                }
              }
            )
            for (const [index, [word]] of answers.entries()) {
              if (word.epoch !== epochs[index]?.at(-1)) epochs[index]?.push(word.epoch)
            }
            const [found, wanted] = answers.map(([word, admitted]) => [admitted, ...shown(word)])
            yield* expect(`after ${seen.join("; ")}`, found, wanted)
          }
        }
      })
  ]
]
