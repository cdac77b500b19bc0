/**
 * Bytes of a line, written where they are handed to the file from: neither texts nor buffers are made for a line, which comes with
 * every request.
 */

/** Bytes at the beginning, and to which it goes back after a tick that brought much more. */
const usualSize = 64 * 1024
const largeSize = 1024 * 1024

/** Characters that are written of a text at most; the store cuts to bytes. */
const most = 256

/** Bytes that a quoted text takes at most: each character as an escape. */
const mostBytes = most * 6 + 2

/** Names come again and again: one that was quoted is kept, up to so many. */
const mostKnown = 4_096

/** Bytes that stay free behind every text: more than all numbers and signs of a line take. */
const between = 1024

const nothing = Buffer.from("null")

const zero = 48
const quote = 34
const backslash = 92

/** A buffer that lines are gathered in. One byte stays free before them. */
export class LineBuffer {
  private bytes = Buffer.allocUnsafe(usualSize)
  private at = 1
  private readonly known = new Map<string, Uint8Array>()

  /** Bytes that were gathered. */
  get length(): number {
    return this.at - 1
  }

  /** What was gathered, until the next line is: after a byte of one's own where one is given. */
  gathered(before: number | undefined): Uint8Array {
    if (before === undefined) return this.bytes.subarray(1, this.at)
    this.bytes[0] = before
    return this.bytes.subarray(0, this.at)
  }

  clear(): void {
    this.at = 1
    if (this.bytes.length > largeSize) this.bytes = Buffer.allocUnsafe(usualSize)
  }

  /** Before each line: there is room for its numbers and signs, and each text makes its own. */
  begin(): void {
    this.reserve(0)
  }

  /** One character of ASCII. */
  byte(code: number): void {
    this.bytes[this.at++] = code
  }

  /** A number that is 0 or more; 0 for one that is none. */
  number(value: number): void {
    if (!(value > 0 && value < Number.POSITIVE_INFINITY)) {
      this.bytes[this.at++] = zero
    } else if (value <= Number.MAX_SAFE_INTEGER && Math.floor(value) === value) {
      this.integer(value)
    } else {
      this.fraction(value)
    }
  }

  numberOrNull(value: number | undefined): void {
    if (value === undefined) this.copy(nothing)
    else this.number(value)
  }

  /** A text that comes once. */
  text(text: string): void {
    this.reserve(mostBytes)
    const { bytes } = this
    const begin = this.at
    let at = begin
    bytes[at++] = quote
    const length = Math.min(text.length, most)
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code < 32 || code > 126 || code === quote || code === backslash) {
        this.at = begin + bytes.write(JSON.stringify(text.slice(0, most)), begin)
        return
      }
      bytes[at++] = code
    }
    bytes[at++] = quote
    this.at = at
  }

  textOrNull(text: string | undefined): void {
    if (text === undefined) this.copy(nothing)
    else this.text(text)
  }

  /** A text that comes again. */
  name(text: string | undefined): void {
    if (text === undefined) {
      this.copy(nothing)
      return
    }
    const before = this.known.get(text)
    if (before !== undefined) {
      this.copy(before)
      return
    }
    this.reserve(mostBytes)
    const begin = this.at
    this.text(text)
    if (text.length > most) return
    if (this.known.size >= mostKnown) this.known.clear()
    this.known.set(text, new Uint8Array(this.bytes.subarray(begin, this.at)))
  }

  private copy(from: Uint8Array): void {
    const { length } = from
    this.reserve(length)
    const { at, bytes } = this
    for (let i = 0; i < length; i++) bytes[at + i] = from[i] as number
    this.at = at + length
  }

  private integer(value: number): void {
    if (value < 1e9) {
      this.small(value)
      return
    }
    const high = Math.floor(value / 1e9)
    this.small(high)
    this.digits(value - high * 1e9, 9)
  }

  private small(value: number): void {
    let count = 1
    for (let power = 10; value >= power; power *= 10) count++
    this.digits(value, count)
  }

  /** Of a number below `10^count`, with zeros before it. */
  private digits(value: number, count: number): void {
    const { bytes } = this
    let left = value | 0
    for (let at = this.at + count - 1; at >= this.at; at--) {
      const rest = (left / 10) | 0
      bytes[at] = zero + left - rest * 10
      left = rest
    }
    this.at += count
  }

  /** Lengths of time have two places; whatever else comes is written as JavaScript writes it. */
  private fraction(value: number): void {
    const hundredths = Math.round(value * 100)
    if (hundredths < 1e15 && hundredths >= 1 && hundredths / 100 === value) {
      const whole = Math.floor(hundredths / 100)
      this.integer(whole)
      this.bytes[this.at++] = 46
      this.digits(hundredths - whole * 100, 2)
      return
    }
    this.at += this.bytes.write(String(value), this.at, "latin1")
  }

  private reserve(more: number): void {
    if (this.at + more + between <= this.bytes.length) return
    const larger = Buffer.allocUnsafe(2 * (this.bytes.length + more + between))
    larger.set(this.bytes.subarray(0, this.at))
    this.bytes = larger
  }
}
