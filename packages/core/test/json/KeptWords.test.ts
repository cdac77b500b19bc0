import { describe, expect, it } from "vitest"
import { KeptWords } from "../../src/json/keptWords.js"

const encoder = new TextEncoder()

const add = (words: KeptWords, text: string, asJson = JSON.stringify(text).slice(1, -1)): void => {
  const bytes = encoder.encode(`"${asJson}"`)
  words.addBytes(bytes, 1, bytes.length - 1, text.length)
}

describe("KeptWords", () => {
  it("gives words of bytes and of texts in the order in which they came", () => {
    const words = new KeptWords()
    add(words, "Hello")
    words.add(", ")
    add(words, "wor")
    add(words, "ld")
    expect(words.text).toBe("Hello, world")
    expect(words.length).toBe(12)
    words.add("!")
    add(words, "?")
    expect(words.text).toBe("Hello, world!?")
  })

  it("reads escapes, characters beyond ASCII, and pairs whose halves come apart", () => {
    const words = new KeptWords()
    add(words, '\n"\\')
    add(words, "\ufeff日本")
    add(words, "\ud83d", "\\ud83d")
    add(words, "\ude00", "\\ude00")
    expect(words.text).toBe('\n"\\\ufeff日本\u{1f600}')
  })

  it("keeps more than it had room for", () => {
    const words = new KeptWords()
    const all = Array.from({ length: 3000 }, (_, index) => ` word${index}`)
    for (const one of all) add(words, one)
    expect(words.text).toBe(all.join(""))
    expect(words.length).toBe(all.join("").length)
  })

  it("has nothing after it was cleared, and begins anew", () => {
    const words = new KeptWords()
    add(words, "before")
    words.clear()
    expect(words.text).toBe("")
    expect(words.length).toBe(0)
    add(words, "after")
    expect(words.text).toBe("after")
  })
})
