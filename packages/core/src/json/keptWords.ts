const decoder = new TextDecoder()
const quote = 0x22
/** Bytes that are set aside at first. */
const smallest = 512

/**
 * The words of an answer, of which nobody may ever ask: those of chunks that are read in their bytes stay bytes until then. To make
 * a text of each was a seventh of all that a stream allocates.
 */
export class KeptWords {
  /** UTF-16 code units so far. */
  length = 0
  private before = ""
  /** What came after that, as a text of JSON without its last quote. */
  private bytes: Uint8Array | undefined
  private size = 0

  /** All of them. */
  get text(): string {
    const { bytes, size } = this
    if (bytes !== undefined && size > 1) {
      bytes[size] = quote
      this.before += JSON.parse(decoder.decode(bytes.subarray(0, size + 1))) as string
      this.size = 1
    }
    return this.before
  }

  /** Adds words. */
  add(words: string): void {
    this.before = this.text + words
    this.length += words.length
  }

  /** Adds those that stand in bytes, as a text of JSON without its quotes: so many UTF-16 code units. */
  addBytes(source: Uint8Array, start: number, end: number, characters: number): void {
    const bytes = this.room(end - start)
    let to = this.size
    // Words are short: a view of them alone costs more.
    for (let from = start; from < end; from++) bytes[to++] = source[from] as number
    this.size = to
    this.length += characters
  }

  /** Forgets all. */
  clear(): void {
    this.before = ""
    this.bytes = undefined
    this.length = this.size = 0
  }

  /** The bytes, with room for so many more and a quote. */
  private room(more: number): Uint8Array {
    const { bytes, size } = this
    if (bytes !== undefined && size + more < bytes.length) return bytes
    const larger = new Uint8Array(Math.max(smallest, 2 * (size + more + 1)))
    if (bytes === undefined) {
      larger[0] = quote
      this.size = 1
    } else larger.set(bytes.subarray(0, size))
    this.bytes = larger
    return larger
  }
}
