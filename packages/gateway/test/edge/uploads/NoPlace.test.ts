/** A gateway without a place for temporary files: a form whose file comes last is given on while it comes, and any other is refused. */
import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import type { Gateway } from "@switchyard/gateway/Gateway"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll, beforeEach } from "vitest"
import * as G from "../../support/gateways.js"

let scope: Scope.CloseableScope
let east: FakeProvider.FakeProvider
let west: FakeProvider.FakeProvider
let gateway: Gateway

beforeAll(async () => {
  scope = Effect.runSync(Scope.make())
  const place = process.env.TMPDIR
  process.env.TMPDIR = "/nowhere/at/all"
  const make = Effect.gen(function* () {
    east = yield* FakeProvider.make({ name: "east" })
    west = yield* FakeProvider.make({ name: "west" })
    gateway = yield* G.start([], {
      deployments: [east, west].map((up, order) => G.deploymentOf(up, { model: "whisper-1", order })),
      retry: { attempts: 2, baseDelay: 1 },
      server: { replayBytes: 100_000 }
    })
  })
  await Effect.runPromise(Scope.extend(make, scope))
  if (place === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = place
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

beforeEach(() => Effect.runPromise(Effect.zipRight(east.reset, west.reset)))

const sound = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, at) => (at * 7919) >> 3))
const field = (name: string, value: string): string =>
  `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
const model = field("model", "smart")
const part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\nContent-Type: audio/mpeg\r\n\r\n'
const file = Buffer.concat([Buffer.from(part), sound, Buffer.from("\r\n")])
const end = "--b--\r\n"

const post = (path: string, ...pieces: ReadonlyArray<string | Buffer>): Effect.Effect<G.Answer> =>
  G.post(gateway, path, Buffer.concat(pieces.map((piece) => Buffer.from(piece))), {
    "content-type": "multipart/form-data; boundary=b"
  })

const transcriptions = "/v1/audio/transcriptions"

const digestAt = (up: FakeProvider.FakeProvider): string | undefined =>
  (up.journal()[0]?.body as { readonly files?: ReadonlyArray<{ readonly sha256: string }> } | undefined)?.files?.[0]
    ?.sha256

describe("without a place for temporary files", () => {
  it.live("a form whose model comes first is given on while it comes", () =>
    Effect.gen(function* () {
      const digest = createHash("sha256").update(sound).digest("hex")
      for (const ask of [
        post(transcriptions, model, field("language", "en"), file, end),
        post("/openai/deployments/smart/audio/transcriptions", file, end)
      ]) {
        const answer = yield* ask
        assert.strictEqual(answer.status, 200, answer.text)
        assert.strictEqual(digestAt(east), digest)
        yield* east.reset
      }
      yield* G.holdsNothing(gateway)
    })
  )

  it.live("one whose model comes last is told to put it first", () =>
    Effect.gen(function* () {
      const answer = yield* post(transcriptions, file, model, end)
      G.assertError(answer, { status: 413, code: "request_too_large" })
      assert.match(answer.text, /put the field model before the file/)
      assert.strictEqual(east.stats().requests, 0)
      yield* G.holdsNothing(gateway)
    })
  )

  it.live("one that goes on behind its file, or never ends, is refused, and no second deployment is asked", () =>
    Effect.gen(function* () {
      for (const rest of [[field("language", "en"), end], ["--b-\r\n"], [end, "more and more"]]) {
        const answer = yield* post(transcriptions, model, file, ...rest)
        G.assertError(answer, { status: 400, code: "invalid_form" })
        assert.strictEqual(west.stats().requests, 0)
      }
      yield* G.holdsNothing(gateway)
    })
  )

  it.live("one whose provider fails has to be sent again", () =>
    Effect.gen(function* () {
      yield* east.behave({ status: 500, error: "it broke" })
      const answer = yield* post(transcriptions, model, file, end)
      G.assertError(answer, { status: 400, code: "upload_not_kept" })
      yield* east.behave({ refuse: true })
      yield* G.holdsNothing(gateway)
    })
  )
})
