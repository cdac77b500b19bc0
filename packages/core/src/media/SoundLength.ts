/**
 * How long sound lasts, from the first bytes of its file: of waves (WAV) and of FLAC, whose heads say it.
 */

/** Bytes of a file from its beginning that are enough. */
export const headBytes = 128

/** No sound has more bytes in a second: 32 bits of 8 channels at 192 kHz. */
const mostBytes = 32 * 192_000

const text = (bytes: DataView, at: number, length: number): string => {
  let found = ""
  for (let index = at; index < at + length && index < bytes.byteLength; index++) {
    found += String.fromCharCode(bytes.getUint8(index))
  }
  return found
}

/** Chunks of a wave: its format says the bytes of a second, and what is left from its data on is sound. */
const ofWave = (head: DataView, size: number): number | undefined => {
  let rate: number | undefined
  for (let at = 12; at + 8 <= head.byteLength; ) {
    const name = text(head, at, 4)
    const length = head.getUint32(at + 4, true)
    if (name === "data") return rate === undefined ? undefined : Math.max(0, size - at - 8) / rate
    if (name === "fmt " && at + 20 <= head.byteLength) rate = head.getUint32(at + 16, true)
    if (rate === 0 || (rate ?? 1) > mostBytes) return undefined
    at += 8 + length + (length % 2)
  }
  return rate === undefined ? undefined : size / rate
}

/** The first block of FLAC: 20 bits of samples in a second, and, after 8 others, 36 bits of samples in all. */
const ofFlac = (head: DataView): number | undefined => {
  if (head.byteLength < 26) return undefined
  const rate = head.getUint32(18) >>> 12
  const samples = (head.getUint8(21) & 0x0f) * 2 ** 32 + head.getUint32(22)
  return rate === 0 || samples === 0 ? undefined : samples / rate
}

/** Seconds that a file of `size` bytes lasts that begins so; undefined where its beginning does not say. */
export const secondsIn = (head: Uint8Array, size: number): number | undefined => {
  const view = new DataView(head.buffer, head.byteOffset, Math.min(head.byteLength, headBytes))
  const start = text(view, 0, 4)
  if ((start === "RIFF" || start === "RF64") && text(view, 8, 4) === "WAVE") return ofWave(view, size)
  return start === "fLaC" ? ofFlac(view) : undefined
}
