/** Bodies that no gateway should serve, each small enough to be sent often. */
import { gzipSync } from "node:zlib"
import type { Dice } from "@switchyard/testing/Dice"
import type { Sending } from "./exchange.js"

interface Hostile {
  readonly name: string
  readonly sending: () => Sending
}

const chat = "/v1/chat/completions"
const vectors = "/v1/embeddings"

const hostile = (
  name: string,
  path: string,
  body: () => string | Buffer,
  headers: Readonly<{ [name: string]: string | number }> = {}
): Hostile => {
  let made: string | Buffer | undefined
  return {
    name,
    sending: () => {
      made ??= body()
      return { path, body: made, headers, fresh: true }
    }
  }
}

const messages = '"messages":[{"role":"user","content":"x"}]'
const MiB = 1024 * 1024

const all: readonly [Hostile, ...ReadonlyArray<Hostile>] = [
  hostile("no JSON", chat, () => `{"model": "smart", ${messages}, }`),
  hostile("half of a JSON", chat, () => '{"model":"smart","messages":[{"role":"us'),
  hostile("empty", chat, () => ""),
  hostile("bad UTF-8", chat, () =>
    Buffer.concat([Buffer.from('{"model":"sm'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('"}')])
  ),
  hostile(
    "deep",
    chat,
    () => `{"model":"smart",${messages},"metadata":${'{"a":['.repeat(20_000)}1${"]}".repeat(20_000)}}`
  ),
  hostile("deep and big", chat, () => `{"model":"smart",${messages},"x":${"[".repeat(4 * MiB)}`),
  hostile("another content-encoding", chat, () => `{"model":"smart",${messages}}`, { "content-encoding": "zstd" }),
  hostile("no gzip", chat, () => `{"model":"smart",${messages}}`, { "content-encoding": "gzip" }),
  hostile("gzip bomb", chat, () => gzipSync(Buffer.alloc(64 * MiB, " ")), { "content-encoding": "gzip" }),
  hostile("too big", chat, () => `{"model":"smart","messages":[{"role":"user","content":"${"x".repeat(33 * MiB)}"}]}`),
  hostile("many values in a bad place", vectors, () => `{"model":"vectors","input":[${"{},".repeat(700_000)}{}]}`)
]

/** One of them, and its name. */
export const pick = (dice: Dice): { readonly name: string; readonly sending: Sending } => {
  const { name, sending } = dice.pick(all)
  return { name, sending: sending() }
}
