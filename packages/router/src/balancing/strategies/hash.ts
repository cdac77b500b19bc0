/** FNV-1a over UTF-16 code units, 32 bits. `from` is another basis, or the hash of the text so far. */
export const fnv1a = (text: string, from = 0x811c9dc5, end = text.length): number => {
  let hash = from
  const stop = Math.min(end, text.length)
  for (let i = 0; i < stop; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** The finaliser of MurmurHash3: every bit of the input changes every bit of the output with a chance near one half. */
export const fmix32 = (value: number): number => {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
