/**
 * Batches that no client asks for: the gateway asks itself how they are, so that what they cost is settled from their results.
 */
import * as Background from "@switchyard/core/Background"
import { isJsonObject } from "@switchyard/core/Json"
import type { LlmError } from "@switchyard/core/LlmError"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import * as LlmService from "@switchyard/core/LlmService"
import { nowMs } from "@switchyard/core/Time"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { type Clock, Context, Effect, type Scope } from "effect"
import type { Generation, Generations } from "../../generations/Generations.js"
import { BatchMoney, type Open } from "./batchMoney.js"
import { type AskThere, got, settled } from "./batchSettling.js"
import { collected } from "./bytes.js"

/** How long a batch is left alone after a word of it: 10 minutes. */
const patience = 10 * 60 * 1000

/** Batches that are asked for in one round; the others wait for the next. */
const mostAtOnce = 100

/** Ms for one of them. */
const deadline = 30_000

/** What asking works with. */
interface PollingDeps {
  readonly money: BatchMoney
  readonly generations: Pick<Context.Tag.Service<Generations>, "enter">
}

const objectIn = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const poll = (
  { deployment, id }: Open,
  { tower }: Pick<Generation, "tower">,
  money: BatchMoney,
  clock: Clock.Clock
): Effect.Effect<void, LlmError> => {
  // One that is not configured any more can't be asked: in the end its estimate holds.
  if (Context.get(tower.state, DeploymentRegistry).slot(deployment.id) === undefined) return Effect.void
  const ask: AskThere = (passage, use) =>
    LlmService.using(
      tower.service,
      LlmRequest.passageOf(passage, {
        model: deployment.group,
        bond: { deployment: deployment.id, kind: "batch id" },
        overrides: { deadline }
      }),
      use
    )
  const read = (answer: LlmResponse): Effect.Effect<void, LlmError> =>
    answer._tag === "Complete" || answer.status >= 300
      ? Effect.void
      : Effect.flatMap(collected(answer.events), (text) => {
          const object = objectIn(text)
          return isJsonObject(object) ? settled(object, { ask, clock, money }) : Effect.void
        })
  // Whatever comes of it, the others have their turn first.
  return Effect.zipRight(
    Effect.sync(() => money.seen(id, nowMs(clock))),
    ask(got(`/batches/${encodeURIComponent(id)}`), read)
  )
}

const round = ({ generations, money }: PollingDeps, clock: Clock.Clock): Effect.Effect<void> =>
  Effect.suspend(() => {
    const silent = money.silent(patience, mostAtOnce, nowMs(clock))
    if (silent.length === 0) return Effect.void
    return Effect.acquireUseRelease(
      Effect.sync(() => generations.enter()),
      ({ generation }) =>
        Effect.forEach(silent, (one) => Effect.ignore(poll(one, generation, money, clock)), { discard: true }),
      (lease) => Effect.sync(() => lease.leave())
    )
  })

/** The money of a gateway's batches; those that nobody asks for are asked for, one after the other, while the scope is open. */
export const start = (
  generations: Pick<Context.Tag.Service<Generations>, "enter" | "current">
): Effect.Effect<BatchMoney, never, Scope.Scope> =>
  Effect.clockWith((clock) => {
    const money = new BatchMoney(generations.current)
    const forever = Effect.forever(Effect.zipRight(Effect.sleep(patience), round({ money, generations }, clock)))
    return Effect.as(Background.run(forever), money)
  })
