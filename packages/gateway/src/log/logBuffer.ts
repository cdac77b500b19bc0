/** Where lines go: usually a stream of the process. */
export interface LogOutput {
  /** A terminal: people read it, so lines are pretty unless the configuration says otherwise. */
  readonly isTerminal: boolean
  /** Whether pretty lines are coloured. */
  readonly hasColours: boolean
  /** Writes whole lines without waiting. `done` is called once: when they are out, or with what they were lost to. */
  readonly write: (text: string, done: (error?: unknown) => void) => void
}

/** Characters that wait at most. */
const maxWaiting = 4 * 1024 * 1024

/**
 * Lines that wait for their output, which gets them in one piece and never two pieces at a time. Memory has a bound: what
 * the output is too slow for is lost, oldest first, `loose` lines before all others. So is what is handed over in vain,
 * where nobody reads the output any more.
 */
export class LogBuffer {
  private lines: Array<string> = []
  private loose: Array<boolean> = []
  private size = 0
  private lost = 0
  private lostInAll = 0
  private isWriting = false
  /** Nobody took the last piece: the next attempt waits for the next line. */
  private isBroken = false
  private onIdle: (() => void) | undefined

  constructor(
    private readonly output: LogOutput,
    /** Called when the first line comes to wait. */
    private readonly wake: () => void,
    private readonly max = maxWaiting
  ) {}

  get hasWaiting(): boolean {
    return this.lines.length > 0 || (this.lost > 0 && !this.isBroken)
  }

  /** Lines that were lost since the start. */
  get lostLines(): number {
    return this.lostInAll
  }

  add(line: string, isLoose: boolean): void {
    if (this.lines.length === 0) this.wake()
    this.lines.push(line)
    this.loose.push(isLoose)
    this.size += line.length + 1
    if (this.size > this.max) this.shrink()
  }

  /** Hands over what waits, unless the output is still at work. `lostLine` says how many lines were lost. */
  flush(lostLine: (count: number) => string): void {
    if (this.isWriting || !this.hasWaiting) return
    const { lines, lost } = this
    this.lines = []
    this.loose = []
    this.size = 0
    this.lost = 0
    this.isWriting = true
    const head = lost === 0 ? "" : `${lostLine(lost)}\n`
    const tail = lines.length === 0 ? "" : `${lines.join("\n")}\n`
    this.output.write(head + tail, (error) => {
      this.isWriting = false
      this.isBroken = error !== undefined && error !== null
      if (this.isBroken) {
        this.lost += lost + lines.length
        this.lostInAll += lines.length
      }
      const { onIdle } = this
      this.onIdle = undefined
      onIdle?.()
    })
  }

  /** Calls `f` when the output is done with what it has; gives back the way to stop. */
  whenWritten(f: () => void): () => void {
    if (!this.isWriting) {
      f()
      return () => {}
    }
    this.onIdle = f
    return () => {
      this.onIdle = undefined
    }
  }

  /** Down to half of the bound, so that a slow output does not cost a pass for every line. */
  private shrink(): void {
    this.drop((isLoose) => isLoose)
    if (this.size > this.max / 2) this.drop(() => true)
  }

  private drop(mayGo: (isLoose: boolean) => boolean): void {
    const lines: Array<string> = []
    const loose: Array<boolean> = []
    for (const [index, line] of this.lines.entries()) {
      const isLoose = this.loose[index] === true
      if (this.size > this.max / 2 && mayGo(isLoose)) {
        this.size -= line.length + 1
        this.lost++
        this.lostInAll++
      } else {
        lines.push(line)
        loose.push(isLoose)
      }
    }
    this.lines = lines
    this.loose = loose
  }
}

/** How many lines a second may be written: a token bucket that holds one second. Times are monotonic ms. */
export class LineGate {
  private tokens: number
  private filledAt: number
  private leftOut = 0
  private since: number

  constructor(
    private readonly perSecond: number,
    now: number
  ) {
    this.tokens = perSecond
    this.filledAt = now
    this.since = now
  }

  /** Whether lines were left out that no summary has told of. */
  get owesSummary(): boolean {
    return this.leftOut > 0
  }

  /** Whether one more line may be written. */
  admits(now: number): boolean {
    this.tokens = Math.min(this.perSecond, this.tokens + ((now - this.filledAt) / 1000) * this.perSecond)
    this.filledAt = now
    if (this.tokens >= 1) {
      this.tokens--
      return true
    }
    if (this.leftOut === 0) this.since = now
    this.leftOut++
    return false
  }

  /** What was left out and in how many seconds: once a second, or at once at the end. Undefined when there is nothing to tell. */
  summary(now: number, atOnce: boolean): { readonly count: number; readonly seconds: number } | undefined {
    if (this.leftOut === 0 || (!atOnce && now - this.since < 1000)) return undefined
    const found = { count: this.leftOut, seconds: Math.max(0.1, Math.round((now - this.since) / 100) / 10) }
    this.leftOut = 0
    return found
  }
}
