import type { DeploymentId } from "@switchyard/core/Deployment"
import type { Journal } from "@switchyard/core/Journal"
import type { Blocked, LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { Slot } from "@switchyard/core/Slot"

const isLimit = (block: Blocked): boolean => block.cause === "limit"

/** Left out by somebody below, not by the request: it lost a race for a limit, or others wait for it. */
const isTaken = (block: Blocked, request: LlmRequest): boolean =>
  block.reason === "excluded" && !request.route.excluded.includes(block.deployment as DeploymentId)

const blocksOf = (error: LlmError, request: LlmRequest): ReadonlyArray<Blocked> =>
  (error.blocked ?? []).filter((block) => !request.route.excluded.includes(block.deployment as DeploymentId))

/** The group is full, not broken: at least one deployment that the request may use has a limit used up. */
export const isFull = (error: LlmError, request: LlmRequest): boolean =>
  error.reason === "NoDeployment" &&
  (error.blockedByLimitsOnly || blocksOf(error, request).some((block) => isLimit(block) || isTaken(block, request)))

/** Whether room may come before `wait` ms are over: by calls that end, by others who go elsewhere, or by time alone. */
export const mayClear = (error: LlmError, request: LlmRequest, wait: number): boolean =>
  blocksOf(error, request).some(
    (block) => block.early === true || isTaken(block, request) || (block.retryAfter ?? Number.POSITIVE_INFINITY) < wait
  )

/** The same error as its caller should read it: who was left out for others' sake is blocked by the queue. */
export const explained = (error: LlmError, request: LlmRequest, why: string, elapsed: number): LlmError => {
  const later = (retryAfter: number | undefined) =>
    retryAfter === undefined ? {} : { retryAfter: Math.max(0, retryAfter - elapsed) }
  return error.with({
    description: `${error.description}; ${why}`,
    blocked: (error.blocked ?? []).map((block) => ({
      ...block,
      ...(isTaken(block, request) ? { reason: "queue", cause: "limit" as const } : {}),
      ...later(block.retryAfter)
    })),
    ...later(error.retryAfter)
  })
}

/**
 * The moment that decides a request's place in line: when it came, moved by its priority, but by less than a third of the
 * longest wait. So whoever waits grows older than every newcomer of a better priority before its time is up, and nobody starves.
 * Monotonic ms.
 */
export const turnOf = (priority: number, enteredAt: number, maxWait: number): number => {
  const share = Number.isFinite(priority) ? priority / (1 + Math.abs(priority)) : Math.sign(priority)
  return enteredAt + (share * Math.min(maxWait, longestAging)) / 3
}

/** However long requests may wait, a priority counts for no more than a third of this, in ms. */
const longestAging = 600_000

/** One request that waits for room. */
export class Waiter {
  /** It was given the turn: it is asking the Balancer, or about to. */
  hasTurn = false
  /** It stands in its line: not admitted, not gone. */
  isInLine = false
  /** Wakes its fiber while that sleeps. */
  wake: (() => void) | undefined
  /** Deployments that it waits for. */
  awaited: ReadonlySet<string> = new Set()
  /** Monotonic ms when time alone may have made room; infinite when somebody ahead will see to it. */
  until = Number.POSITIVE_INFINITY
  /** The registry's version when it last asked: before a reload's news it waits for anything. */
  version = -1
  /** Its layer's scope has closed: there is nothing left to wait for. */
  isDismissed = false
  /** While it was asking, another place came up: a refusal may be out of date. */
  isOfferedMore = false
  error: LlmError
  askedAt: number

  constructor(
    readonly request: LlmRequest,
    public group: string,
    /** Its place among others: `turnOf`. */
    readonly turn: number,
    /** The order of arrival, among equal turns. */
    readonly number: number,
    /** Monotonic ms. */
    readonly enteredAt: number,
    /** Monotonic ms. */
    readonly deadline: number,
    error: LlmError,
    /** Whose waiter it is, where several layers share the line. */
    readonly host: object
  ) {
    this.error = error
    this.askedAt = enteredAt
  }

  /** Notes that the group is still full, as `error` says. */
  refused(error: LlmError, version: number, now: number): void {
    this.error = error
    this.askedAt = now
    this.version = version
    this.until = now + Math.max(1, error.retryAfter ?? Number.POSITIVE_INFINITY)
    this.awaited = new Set(
      blocksOf(error, this.request)
        .filter((block) => isLimit(block) || isTaken(block, this.request) || block.retryAfter !== undefined)
        .map((block) => block.deployment)
    )
  }

  /** Whether a place on the deployment may be what it waits for. */
  awaits(deployment: string, version: number): boolean {
    return this.version !== version || this.awaited.has(deployment)
  }

  /** Gives it the turn, or another one after the one that it has. */
  giveTurn(): void {
    if (this.hasTurn) {
      this.isOfferedMore = true
      return
    }
    this.hasTurn = true
    this.wake?.()
  }
}

/** The requests that wait for one group: by turn, then by arrival. */
export class WaitingLine {
  private readonly waiters: Array<Waiter> = []

  constructor(
    /** Monotonic ms when its first came. */
    readonly since: number
  ) {}

  get size(): number {
    return this.waiters.length
  }

  /** Takes a place by turn and arrival, also for one that stood here before. */
  insert(waiter: Waiter): void {
    let index = this.waiters.length
    for (let before = this.waiters[index - 1]; before !== undefined; before = this.waiters[index - 1]) {
      if (before.turn < waiter.turn) break
      if (before.turn === waiter.turn && before.number < waiter.number) break
      index--
    }
    this.waiters.splice(index, 0, waiter)
    waiter.isInLine = true
  }

  remove(waiter: Waiter): void {
    const index = this.waiters.indexOf(waiter)
    if (index !== -1) this.waiters.splice(index, 1)
    waiter.isInLine = false
  }

  /** The first that waits for a place on the deployment. */
  firstFor(deployment: string, version: number): Waiter | undefined {
    return this.waiters.find((waiter) => waiter.awaits(deployment, version))
  }

  /** The one with the turn whose request has this journal. */
  askingFor(journal: Journal | undefined): Waiter | undefined {
    return this.waiters.find((waiter) => waiter.hasTurn && waiter.request.route.journal === journal)
  }

  /** Everyone, first in line first. */
  get all(): ReadonlyArray<Waiter> {
    return this.waiters
  }

  /** Which of a group's deployments those wait for who stand before that turn and arrival. */
  spokenFor(slots: ReadonlyArray<Slot>, turn: number, number: number, version: number): ReadonlyArray<DeploymentId> {
    const ahead = this.waiters.filter(
      (waiter) => waiter.turn < turn || (waiter.turn === turn && waiter.number < number)
    )
    if (ahead.length === 0) return []
    return slots.map((slot) => slot.id).filter((id) => ahead.some((waiter) => waiter.awaits(id, version)))
  }
}
