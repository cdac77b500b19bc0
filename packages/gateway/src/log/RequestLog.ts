/**
 * The gateway's log: one line for each request that is over, and lines for changes of state, all in one format. Lines are
 * gathered and written in batches, so that no request ever waits for the log, and a flood of requests has a bound.
 */

import * as Background from "@switchyard/core/Background"
import { uniform } from "@switchyard/core/Dice"
import { isLlmError } from "@switchyard/core/LlmError"
import { Scrubber } from "@switchyard/core/Secret"
import { nowMs } from "@switchyard/core/Time"
import type { Events, RouterEvent } from "@switchyard/router/RouterEvents"
import { Cause, type Clock, Effect, FiberRef, HashSet, Inspectable, Logger, LogLevel, Option, type Scope } from "effect"
import { logDefaults } from "../config/callSettings.js"
import type { GatewayConfig } from "../config/GatewayConfig.js"
import type { Ended } from "../edge/calls/Completions.js"
import type { TurnedAway } from "../errors/ErrorBody.js"
import { LineGate, LogBuffer, type LogOutput } from "./logBuffer.js"
import { lineOf } from "./logEvent.js"
import { type FieldValue, isoTime, type Level, levels, quote, word } from "./logText.js"
import { secretsOf } from "./masking.js"
import { type Ending, endingOf, RequestLines } from "./requestLine.js"

export type { Level, LogOutput }

/** What the log needs to know of a configuration: its settings, and the secrets that must not appear. */
export type Source = Pick<GatewayConfig, "log"> & Parameters<typeof secretsOf>[0]

/** Writes lines. Nothing here blocks or fails. */
export interface RequestLog {
  /** Whether nothing is written at all. */
  readonly isOff: () => boolean
  /** Logs a request that is over. */
  readonly ended: (ended: Ended) => void
  /** Logs a request that was turned away: one to an unknown endpoint, with a wrong method, or without a key. */
  readonly turnedAway: (turnedAway: TurnedAway) => void
  /** Logs what is published to the events that come out, and passes it on. */
  readonly tap: (events: Events) => Events
  /** Logs a line of our own; secrets are taken out. */
  readonly note: (level: Level, event: string, fields: Readonly<Record<string, FieldValue>>) => void
  /** Takes another configuration's settings from now on. */
  readonly configure: (config: Source) => void
  /** For `Effect.log` and its like. */
  readonly logger: Logger.Logger<unknown, void>
  /** Writes what waits at once: for a process that is about to end. */
  readonly flush: () => void
  /** Lines that were lost since the start: the output was too slow for them, or nobody read it. */
  readonly lostLines: () => number
}

/** Ms between two writings. */
const beat = 50

/** Ms in which the same budget is told of once. */
const toldFor = 60_000

/** Characters of one text of a line; longer ones are stacks and lists of problems. */
const maxText = 8_000

/** Characters of a path. */
const maxPath = 500

const ofLogLevel = (level: LogLevel.LogLevel): Level =>
  LogLevel.greaterThanEqual(level, LogLevel.Error)
    ? "error"
    : LogLevel.greaterThanEqual(level, LogLevel.Warning)
      ? "warn"
      : LogLevel.greaterThanEqual(level, LogLevel.Info)
        ? "info"
        : "debug"

const wordsOf = (message: unknown): string =>
  (Array.isArray(message) ? message : [message])
    .map((part: unknown) => (typeof part === "string" ? part : Inspectable.toStringUnknown(part, 0)))
    .join(" ")

/** Providers quote prompts in their messages. */
const withoutMessage = (error: unknown): unknown =>
  isLlmError(error) ? `${error.reason}: ${error.description}` : error

/** What follows from one configuration. */
interface Mode {
  readonly messages: boolean
  readonly format: "json" | "pretty" | "off"
  readonly rank: number
  readonly sample: number
  readonly scrubber: Scrubber
  readonly requests: RequestLines
}

class StreamLog implements RequestLog {
  private mode: Mode
  private gate: LineGate
  private secrets: ReadonlyArray<string> = []
  private readonly budgets = new Map<string, number>()
  private readonly iso = isoTime()

  constructor(
    config: Source,
    private readonly output: LogOutput,
    private readonly buffer: LogBuffer,
    /** Asks for a writing soon. */
    private readonly wake: () => void,
    private readonly clock: Clock.Clock,
    private readonly random: () => number
  ) {
    this.gate = this.gateOf(config)
    this.mode = this.modeOf(config)
  }

  readonly isOff = (): boolean => this.mode.format === "off"

  readonly configure = (config: Source): void => {
    this.gate = this.gateOf(config)
    this.mode = this.modeOf(config)
  }

  readonly ended = (ended: Ended): void => {
    if (!this.writes("info")) return
    const { sample } = this.mode
    const ending = endingOf(ended)
    if (sample < 1 && ending === "success" && this.random() >= sample) return
    const now = nowMs(this.clock)
    if (!this.admits(now)) return
    this.buffer.add(this.requestLine(ended, ending, now), true)
  }

  readonly turnedAway = ({ id, method, path, refusal }: TurnedAway): void => {
    if (!this.writes("info") || !this.admits(nowMs(this.clock))) return
    const { code, status } = refusal
    this.note("info", "turned_away", { id, method, path: this.mode.scrubber.text(path, maxPath), status, code })
  }

  readonly tap = ({ isActive, publish, stream }: Events): Events => ({
    publish: (event) => {
      this.event(event)
      publish(event)
    },
    // No event of every call is logged: the lines of requests are made of their journals.
    isActive,
    stream
  })

  readonly note = (level: Level, event: string, fields: Readonly<Record<string, FieldValue>>): void => {
    if (!this.writes(level)) return
    this.buffer.add(this.line(level, event, fields), level === "debug" || level === "info")
  }

  readonly logger = Logger.make<unknown, void>(({ annotations, cause, logLevel, message }) => {
    const level = ofLogLevel(logLevel)
    if (logLevel === LogLevel.None || !this.writes(level)) return
    const fields: Record<string, FieldValue> = { message: wordsOf(message) }
    for (const [key, value] of annotations) fields[`${key in fields ? "annotation_" : ""}${key}`] = wordsOf(value)
    if (!Cause.isEmpty(cause)) {
      const told = this.mode.messages ? cause : Cause.map(cause, withoutMessage)
      fields["cause"] = Cause.pretty(told, { renderErrorCause: true })
    }
    this.note(level, "log", fields)
  })

  readonly lostLines = (): number => this.buffer.lostLines

  readonly flush = (): void => void this.write(true)

  /** Writes what waits, and every second what was left out. True when there is more to do later. */
  readonly write = (isLast: boolean): boolean => {
    const left = this.gate.summary(nowMs(this.clock), isLast)
    if (left !== undefined) this.note("warn", "requests_left_out", { count: left.count, seconds: left.seconds })
    this.buffer.flush((count) => this.line("warn", "lines_lost", { count }))
    return this.buffer.hasWaiting || this.gate.owesSummary
  }

  private writes(level: Level): boolean {
    const { format, rank } = this.mode
    return format !== "off" && levels[level].rank >= rank
  }

  private gateOf({ log }: Source): LineGate {
    return new LineGate(log.maxPerSecond ?? logDefaults.maxPerSecond, nowMs(this.clock))
  }

  private modeOf(config: Source): Mode {
    const { format, level = logDefaults.level, messages, sample = logDefaults.sample } = config.log
    const before = this.secrets
    this.secrets = secretsOf(config)
    // Requests of the configuration before still end.
    const scrubber = new Scrubber([...before, ...this.secrets])
    return {
      format: format === false ? "off" : (format ?? (this.output.isTerminal ? "pretty" : "json")),
      rank: levels[level].rank,
      sample,
      messages: messages === true,
      scrubber,
      requests: new RequestLines(scrubber, messages === true, sample)
    }
  }

  private admits(now: number): boolean {
    if (this.gate.admits(now)) return true
    // The summary has to be written, even when nothing else is.
    this.wake()
    return false
  }

  private event(event: RouterEvent): void {
    if (this.isOff()) return
    const line = lineOf(event)
    if (line === undefined || !this.writes(line.level)) return
    if (event._tag === "BudgetExhausted" && this.wasTold(`${event.scope} ${event.key}`, event.at)) return
    if (line.isFrequent && !this.admits(nowMs(this.clock))) return
    this.note(line.level, line.event, line.fields)
  }

  /** Every request that a budget turns away says so. */
  private wasTold(budget: string, at: number): boolean {
    const told = this.budgets.get(budget)
    if (told !== undefined && at - told < toldFor) return true
    if (this.budgets.size >= 1000) this.budgets.clear()
    this.budgets.set(budget, at)
    return false
  }

  private time(): string {
    return this.iso(this.clock.unsafeCurrentTimeMillis())
  }

  private requestLine(ended: Ended, ending: Ending, now: number): string {
    const { format, requests } = this.mode
    return format === "json"
      ? requests.json(ended, ending, this.time(), now)
      : this.prettyHead("info", "request") + requests.pretty(ended, ending, now)
  }

  private line(level: Level, event: string, fields: Readonly<Record<string, FieldValue>>): string {
    const { format, scrubber } = this.mode
    const text = (value: string) => scrubber.text(value, maxText)
    if (format === "json") {
      const parts = Object.entries(fields).flatMap(([key, value]) =>
        value === undefined ? [] : [`,${quote(text(key))}:${jsonOf(value, text)}`]
      )
      return `{"time":"${this.time()}","level":"${level}","event":"${event}"${parts.join("")}}`
    }
    const parts = Object.entries(fields).flatMap(([key, value]) =>
      value === undefined ? [] : [prettyOf(key, value, text)]
    )
    return this.prettyHead(level, event) + parts.join(" ")
  }

  private prettyHead(level: Level, event: string): string {
    const name = level.toUpperCase().padEnd(5)
    const painted = this.output.hasColours ? `\u001b[${levels[level].colour}m${name}\u001b[0m` : name
    return `${this.time().slice(11, 23)} ${painted} ${event.padEnd(7)} `
  }
}

const jsonOf = (value: Exclude<FieldValue, undefined>, text: (value: string) => string): string =>
  typeof value === "string"
    ? quote(text(value))
    : typeof value === "object"
      ? `[${value.map((entry) => quote(text(entry))).join(",")}]`
      : typeof value === "number" && !Number.isFinite(value)
        ? "null"
        : String(value)

/** Several lines, like a stack, follow below and indented, so that none of them can be taken for a line of the log. */
const below = (value: string): string =>
  value
    .split(/\r?\n/)
    .map((line) => `\n    ${quote(line).slice(1, -1).replaceAll('\\"', '"').replaceAll("\\\\", "\\")}`)
    .join("")

const prettyOf = (key: string, value: Exclude<FieldValue, undefined>, text: (value: string) => string): string => {
  if (typeof value === "object") return value.map((entry) => below(text(entry))).join("")
  if (typeof value !== "string") return `${word(text(key))}=${value}`
  const scrubbed = text(value)
  if (key === "cause") return below(scrubbed)
  if (key === "message" && !/\n/.test(scrubbed)) return quote(scrubbed).slice(1, -1).replaceAll('\\"', '"')
  return `${word(text(key))}=${word(scrubbed)}`
}

/** A log that writes nothing. */
export const silent: RequestLog = {
  isOff: () => true,
  ended: () => {},
  turnedAway: () => {},
  tap: (events) => events,
  note: () => {},
  configure: () => {},
  logger: Logger.none,
  flush: () => {},
  lostLines: () => 0
}

/** How long the end of the scope waits for an output that is slow. */
const lastWait = "1 second"

/**
 * A log to an output. What waits is written when the scope closes. A 50 ms beat of the Clock writes; it rests while there is
 * nothing to write.
 */
export const make = (config: Source, output: LogOutput): Effect.Effect<RequestLog, never, Scope.Scope> =>
  Effect.gen(function* () {
    const due = yield* Effect.makeLatch()
    const wake = () => due.unsafeOpen()
    const buffer = new LogBuffer(output, wake)
    const log = new StreamLog(config, output, buffer, wake, yield* Effect.clock, yield* uniform)
    const step = Effect.sync(() => {
      if (!log.write(false)) due.unsafeClose()
    })
    const written = Effect.async<void>((resume) => {
      const stop = buffer.whenWritten(() => resume(Effect.void))
      return Effect.sync(stop)
    })
    const last = Effect.zipRight(
      written,
      Effect.suspend(() => {
        log.flush()
        return written
      })
    )
    yield* Effect.addFinalizer(() => Effect.timeoutOption(Effect.interruptible(last), lastWait))
    yield* Background.run(Effect.forever(Effect.zipRight(due.await, Effect.zipRight(Effect.sleep(beat), step))))
    return log
  })

/** Runs an effect, and all that it starts, with the log as its only logger. A log that is silent changes nothing. */
export const withLogger =
  (log: RequestLog) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    log === silent
      ? effect
      : effect.pipe(
          Effect.locally(FiberRef.currentLoggers, HashSet.make(log.logger, Logger.tracerLogger)),
          // The log has a level of its own, which a reload may change.
          Effect.locally(FiberRef.currentMinimumLogLevel, LogLevel.Debug),
          // Every attempt that fails ends a fiber, which would be told with the provider's message.
          Effect.locally(FiberRef.unhandledErrorLogLevel, Option.none())
        )
