/**
 * What each concern of the standard stack costs a plain call, told by leaving it out: two towers in one process, which take turns of a
 * few ms each, so that what else goes on on the machine falls on both. The base answers at once; nothing of a socket is in it.
 */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as LlmRequest from "@switchyard/core/LlmRequest"
import type { CompleteResponse } from "@switchyard/core/LlmResponse"
import * as LlmService from "@switchyard/core/LlmService"
import * as Service from "@switchyard/core/Service"
import * as Router from "@switchyard/router/Router"
import * as StubLlm from "@switchyard/testing/StubLlm"
import { Effect, type Scope } from "effect"
import { cpu, isShort, median, repeat } from "./harness.js"

/** µs of CPU that a call takes, and takes less without something. */
export interface Cost {
  readonly name: string
  readonly whole: number
  readonly less: number
}

/** Calls in a turn: some ms. */
const turn = 400

const turns = isShort ? 5 : 250

/** Calls before those that count. */
const warming = turn * (isShort ? 2 : 10)

const removable = (): ReadonlyArray<string> =>
  Router.standard.concerns.filter(({ tier }) => tier !== "turn").map(({ id }) => id)

type Call = Effect.Effect<unknown, unknown>

const compared = async (name: string, full: Call, other: Call): Promise<Cost> => {
  for (const call of [full, other]) await Effect.runPromise(repeat(warming, call))
  const wholes: Array<number> = []
  const differences: Array<number> = []
  for (let round = 0; round < turns; round++) {
    const isFirst = round % 2 === 0
    const first = await cpu(repeat(turn, isFirst ? full : other), turn)
    const second = await cpu(repeat(turn, isFirst ? other : full), turn)
    const [whole, rest] = isFirst ? [first, second] : [second, first]
    wholes.push(whole)
    differences.push(whole - rest)
  }
  return { name, whole: median(wholes), less: median(differences) }
}

/** Measures all of them; the first leaves nothing out, and says what is noise. */
export const costs = async (): Promise<ReadonlyArray<Cost>> => {
  const request = LlmRequest.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] })
  const bare = StubLlm.attempt(LlmRequest.begin(request, 0), StubLlm.slot("bare"))
  const answer = (await Effect.runPromise(StubLlm.make().attempts.call(bare))) as CompleteResponse
  // As the HTTP base does: its calls can be ended from outside, and need no fiber of their own.
  const base = Service.expiring(
    Service.attemptWithin((attempt) => {
      attempt.expire = () => {}
      return Effect.succeed({ ...answer, journal: attempt.request.route.journal })
    })
  )
  const options: Router.Options = { deployments: ["a", "b"].map((id) => ({ id, group: "m", model: "gpt-4o" })) }
  const tower = (stack: typeof Router.standard): Effect.Effect<Call, unknown, Scope.Scope> =>
    Effect.map(Router.make({ ...options, stack } as Router.Options, base), ({ service }) =>
      LlmService.complete(service, request)
    )
  const found: Array<Cost> = []
  for (const name of [undefined, ...removable()]) {
    const stack =
      name === undefined ? Router.standard : (Router.standard.remove(name as never) as typeof Router.standard)
    const pair = Effect.flatMap(Effect.all([tower(Router.standard), tower(stack)]), ([full, other]) =>
      Effect.promise(() => compared(name ?? "nothing", full, other))
    )
    found.push(await Effect.runPromise(Effect.scoped(pair)))
  }
  return found
}

/** The same in a process of its own, over the packages as they are built: what runs TypeScript as it stands gives each closure its name when it is made. */
export const builtCosts = (): Promise<ReadonlyArray<Cost>> =>
  new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [], { execArgv: ["--import", "tsx"] })
    child.once("message", (found: ReadonlyArray<Cost>) => resolve(found))
    child.once("exit", (code) => reject(new Error(`the process that measures concerns ended with ${code}`)))
  })

/** Prints them. */
export const run = async (): Promise<void> => {
  console.log("\nWhat each concern costs a plain call (µs of CPU less without it)")
  for (const { less, name, whole } of await costs()) {
    console.log(`  ${name.padEnd(52)}${less.toFixed(2).padStart(9)} of ${whole.toFixed(2)}`)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.send?.(await costs(), () => process.disconnect())
