import type { DeploymentId } from "@switchyard/core/Deployment"
import type { Journal } from "@switchyard/core/Journal"
import type { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import type { Slot } from "@switchyard/core/Slot"
import type { Context } from "effect"
import type { ConcurrencyLimits } from "../concurrency/ConcurrencyLimits.js"
import type { UsageWindows } from "../limits/UsageWindows.js"
import type { DeploymentRegistry } from "../registry/DeploymentRegistry.js"
import { type Waiter, WaitingLine } from "./waitingLine.js"

const nobody: ReadonlyArray<never> = []

/**
 * The lines in front of all groups, and who has the turn. It listens for room only while somebody waits. Nothing in it
 * belongs to one layer, so those who wait before a reload and those who come after it stand in one line.
 */
export class WaitingRoom {
  private readonly lines = new Map<string, WaitingLine>()
  private readonly overloadedAt = new Map<string, number>()
  private arrivals = 0
  private version: number
  private unsubscribe = () => {}

  constructor(
    private readonly registry: Pick<Context.Tag.Service<DeploymentRegistry>, "resolve" | "version">,
    private readonly windows: Pick<Context.Tag.Service<UsageWindows>, "onAdmit" | "onRelease">,
    private readonly concurrency?: Pick<Context.Tag.Service<ConcurrencyLimits>, "onRelease"> | undefined
  ) {
    this.version = registry.version()
  }

  /** Gives a newcomer its number. */
  arrive(): number {
    this.noticeReload()
    return this.arrivals++
  }

  /** How many wait in front of a group. */
  sizeOf(group: string): number {
    return this.lines.get(group)?.size ?? 0
  }

  /**
   * How long a newcomer may wait in front of a group, in ms: until its line has stood for `longest`, without a moment in which nobody
   * waited. Who had to leave then, or later, says that this is no burst: all others wait no longer than `short`, until nobody has
   * had to leave for as long as `longest`.
   */
  patience(group: string, now: number, longest: number, short: number): number {
    const overloadedAt = this.overloadedAt.get(group) ?? Number.NEGATIVE_INFINITY
    if (now - overloadedAt < longest) return short
    this.overloadedAt.delete(group)
    return Math.max(short, (this.lines.get(group)?.since ?? now) + longest - now)
  }

  /** One had to leave its line before room came. */
  turnedAway({ group }: Waiter, now: number): void {
    this.overloadedAt.set(group, now)
  }

  /** Whether nobody waits, in front of any group. */
  get isEmpty(): boolean {
    return this.lines.size === 0
  }

  /** What those wait for who stand before this turn and arrival. */
  spokenFor(request: LlmRequest, turn: number, number: number): ReadonlyArray<DeploymentId> {
    if (this.lines.size === 0) return nobody
    const group = this.registry.resolve(request.model)?.group
    const line = group === undefined ? undefined : this.lines.get(group.name)
    return line === undefined
      ? nobody
      : line.spokenFor(group?.tiers.flat() ?? nobody, turn, number, this.registry.version())
  }

  /** Puts a new one into its line. Where it is first it asks once more: room that came up before was told to nobody. */
  enter(waiter: Waiter): void {
    const version = this.registry.version()
    waiter.refused(waiter.error, version, waiter.enteredAt)
    const line = this.lineUp(waiter)
    for (const id of waiter.awaited) if (line.firstFor(id, version) === waiter) waiter.hasTurn = true
  }

  /** Puts it into its group's line, unless it stands there; a reload may have made it another group's. */
  lineUp(waiter: Waiter): WaitingLine {
    const group = this.registry.resolve(waiter.request.model)?.group.name ?? waiter.group
    if (group !== waiter.group) this.takeOut(waiter)
    waiter.group = group
    const line = this.lineOf(group, waiter.enteredAt)
    if (!waiter.isInLine) line.insert(waiter)
    return line
  }

  /** It asked, and its group is still full: it stays, and lets others have what it no longer waits for. */
  refused(waiter: Waiter, error: LlmError, now: number): void {
    const line = this.lineUp(waiter)
    const before = this.claimOf(waiter)
    waiter.refused(error, this.registry.version(), now)
    waiter.hasTurn = waiter.isOfferedMore
    for (const deployment of before) if (!waiter.awaited.has(deployment)) this.offer(line, deployment)
  }

  /** Its turn is over: whatever it waited for may be somebody else's now. */
  passOn(line: WaitingLine, waiter: Waiter): void {
    for (const deployment of this.claimOf(waiter)) this.offer(line, deployment)
  }

  /** It waits no longer. */
  leave(waiter: Waiter): void {
    const line = this.takeOut(waiter)
    if (line !== undefined) this.passOn(line, waiter)
  }

  /** Sends everyone away who came through one layer. */
  dismiss(host: object): void {
    const gone = [...this.lines.values()].flatMap((line) => line.all.filter((waiter) => waiter.host === host))
    for (const waiter of gone) {
      waiter.isDismissed = true
      this.leave(waiter)
      waiter.giveTurn()
    }
  }

  /** After a reload, everyone finds out what it has changed for them, first in line first. */
  noticeReload(): void {
    if (this.lines.size === 0 || this.version === this.registry.version()) return
    this.version = this.registry.version()
    for (const line of this.lines.values()) for (const waiter of line.all) waiter.giveTurn()
  }

  /** A place on the deployment may be free: the first who waits for it asks, or asks again. */
  private offer(line: WaitingLine, deployment: string): void {
    line.firstFor(deployment, this.registry.version())?.giveTurn()
  }

  private slotsFor(request: LlmRequest): ReadonlyArray<Slot> {
    return this.registry.resolve(request.model)?.group.tiers.flat() ?? []
  }

  /** What it keeps newcomers and others behind it from: everything, until it has asked after a reload. */
  private claimOf(waiter: Waiter): ReadonlySet<string> {
    return waiter.version === this.registry.version()
      ? waiter.awaited
      : new Set([...waiter.awaited, ...this.slotsFor(waiter.request).map((slot) => slot.id)])
  }

  private takeOut(waiter: Waiter): WaitingLine | undefined {
    const line = this.lines.get(waiter.group)
    if (line === undefined || !waiter.isInLine) return undefined
    line.remove(waiter)
    if (line.size === 0) {
      this.lines.delete(waiter.group)
      if (this.lines.size === 0) this.unsubscribe()
    }
    return line
  }

  private lineOf(group: string, now: number): WaitingLine {
    const known = this.lines.get(group)
    if (known !== undefined) return known
    if (this.lines.size === 0) this.subscribe()
    const made = new WaitingLine(now)
    this.lines.set(group, made)
    return made
  }

  private subscribe(): void {
    this.version = this.registry.version()
    const stops = [
      this.windows.onAdmit((slot, _, journal) => this.onAdmit(slot, journal)),
      this.windows.onRelease((slot) => this.onRelease(slot)),
      this.concurrency?.onRelease((slot) => this.onRelease(slot))
    ]
    this.unsubscribe = () => {
      for (const stop of stops) stop?.()
    }
  }

  private onAdmit(slot: Slot, journal: Journal | undefined): void {
    const waiter = this.lines.get(slot.deployment.group)?.askingFor(journal)
    const line = waiter === undefined ? undefined : this.takeOut(waiter)
    if (line === undefined || waiter === undefined) return
    this.passOn(line, waiter)
    if (waiter.awaited.has(slot.id)) return
    // Room came up where nobody expected it: there may be more.
    this.offer(line, slot.id)
    line.all[0]?.giveTurn()
  }

  private onRelease(slot: Slot): void {
    const line = this.lines.get(slot.deployment.group)
    if (line !== undefined) this.offer(line, slot.id)
  }
}
