/** What an upload is kept in: memory first, then a file without a name, of which nothing is left. */
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { Spool, type SpoolFailure } from "../../../src/edge/uploads/spool.js"
import * as TemporaryPlace from "../../../src/edge/uploads/temporaryPlace.js"

const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "spool-"))),
  (path) => Effect.sync(() => fs.rmSync(path, { recursive: true }))
)

interface Told {
  readonly modes: Array<number>
  readonly names: Array<string>
  isOnFile: boolean
  isPassing: boolean
  failure: SpoolFailure | undefined
  rooms: number
}

const made = (path: string, memory: number, place = TemporaryPlace.make(path), passes = false) => {
  const told: Told = { modes: [], names: [], isOnFile: false, isPassing: false, failure: undefined, rooms: 0 }
  let fd: number | undefined
  const spool = new Spool({
    memory,
    place: {
      ...place,
      open: (done) =>
        place.open((opened) => {
          fd = opened
          if (opened !== undefined) told.modes.push(fs.fstatSync(opened).mode & 0o777)
          told.names.push(...fs.readdirSync(path))
          done(opened)
        })
    },
    onRoom: () => {
      told.rooms++
    },
    onNoPlace: () => {
      told.isPassing = passes
      return passes
    },
    onFile: () => {
      told.isOnFile = true
    },
    onFailure: (failure) => {
      told.failure = failure
    }
  })
  const isOpen = (): boolean => {
    if (fd === undefined) return false
    try {
      fs.fstatSync(fd)
      return true
    } catch {
      return false
    }
  }
  return { spool, told, isOpen }
}

const bytes = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 7919) >> 5))

/** Writes all of it, as a socket does that is paused. */
const filled = async (spool: Spool, content: Buffer, piece: number, told: Told): Promise<void> => {
  for (let at = 0; at < content.length; at += piece) {
    const { rooms } = told
    if (spool.write(content.subarray(at, at + piece))) continue
    while (told.rooms === rooms && told.failure === undefined) await new Promise((resume) => setImmediate(resume))
  }
  await new Promise<void>((resume) => spool.end(resume))
}

const readAll = async (spool: Spool, start: number, end: number): Promise<Buffer> => {
  const parts: Array<Uint8Array> = []
  for await (const part of spool.open(start, end)) parts.push(part)
  return Buffer.concat(parts)
}

describe("a spool", () => {
  it.scoped("keeps what is small in memory, and gives any of it as often as asked", () =>
    Effect.flatMap(folder, (path) =>
      Effect.promise(async () => {
        const { spool, told } = made(path, 200_000)
        const content = bytes(180_000)
        await filled(spool, content, 1000, told)
        assert.isFalse(told.isOnFile)
        assert.deepStrictEqual(await readAll(spool, 0, content.length), content)
        assert.deepStrictEqual(await readAll(spool, 65_530, 131_080), content.subarray(65_530, 131_080))
        assert.strictEqual((await readAll(spool, 5, 5)).length, 0)
        spool.close()
      })
    )
  )

  it.scoped("keeps what is larger in a file that only its user may read, and that has no name", () =>
    Effect.flatMap(folder, (path) =>
      Effect.promise(async () => {
        const { isOpen, spool, told } = made(path, 100_000)
        const content = bytes(5_000_000)
        await filled(spool, content, 30_000, told)
        assert.isTrue(told.isOnFile)
        assert.deepStrictEqual(told.modes, [0o600])
        assert.deepStrictEqual(told.names, [])
        assert.isAbove(told.rooms, 0)
        const [whole, middle] = await Promise.all([readAll(spool, 0, content.length), readAll(spool, 99_999, 300_001)])
        assert.isTrue(whole.equals(content))
        assert.isTrue(middle.equals(content.subarray(99_999, 300_001)))
        assert.isTrue(isOpen())
        spool.close()
        await new Promise((resume) => setTimeout(resume, 0))
        while (isOpen()) await new Promise((resume) => setImmediate(resume))
      })
    )
  )

  it.scoped("a reader that is left when it closes is told so, and gets no other file's bytes", () =>
    Effect.flatMap(folder, (path) =>
      Effect.promise(async () => {
        const { spool, told } = made(path, 1000)
        await filled(spool, bytes(300_000), 30_000, told)
        const reader = spool.open(0, 300_000)
        await reader.next()
        const next = reader.next()
        spool.close()
        await next
        const error = await reader.next().then(
          () => undefined,
          (cause: unknown) => cause
        )
        assert.strictEqual((error as Error).name, "SpoolClosed")
      })
    )
  )

  it.effect("says that there is no place for a file", () =>
    Effect.promise(async () => {
      const { spool, told } = made(tmpdir(), 1000, TemporaryPlace.make("/nowhere/at/all"))
      spool.write(bytes(2000))
      while (told.failure === undefined) await new Promise((resume) => setImmediate(resume))
      assert.strictEqual(told.failure, "noPlace")
    })
  )

  it.effect("without a place gives its bytes on as they come, to one reader, and waits for it", () =>
    Effect.promise(async () => {
      const { spool, told } = made(tmpdir(), 100_000, TemporaryPlace.make("/nowhere/at/all"), true)
      const content = bytes(3_000_000)
      spool.write(content.subarray(0, 200_000))
      while (!told.isPassing) await new Promise((resume) => setImmediate(resume))
      const reading = readAll(spool, 10, content.length - 10)
      await filled(spool, content.subarray(200_000), 30_000, told)
      assert.isTrue((await reading).equals(content.subarray(10, content.length - 10)))
      assert.isAbove(told.rooms, 1)
      const again = await readAll(spool, 10, 20).then(
        () => undefined,
        (cause: unknown) => cause
      )
      assert.strictEqual((again as Error).name, "SpoolClosed")
      spool.close()
    })
  )

  it.effect("that is aborted says why to its reader, who waits for more", () =>
    Effect.promise(async () => {
      const { spool, told } = made(tmpdir(), 100, TemporaryPlace.make("/nowhere/at/all"), true)
      spool.write(bytes(1000))
      while (!told.isPassing) await new Promise((resume) => setImmediate(resume))
      const reading = readAll(spool, 0, 2000).then(
        () => undefined,
        (cause: unknown) => cause
      )
      await new Promise((resume) => setImmediate(resume))
      spool.abort(new Error("it is no form"))
      assert.strictEqual(((await reading) as Error).message, "it is no form")
    })
  )
})

describe("what a killed process has left", () => {
  it.scoped("is deleted at the next start, and nothing else", () =>
    Effect.flatMap(folder, (path) =>
      Effect.promise(async () => {
        const id = "0b8a1c9e-1111-4222-8333-444455556666"
        // Process numbers end far below it.
        const left = `switchyard-999999999-${id}.upload`
        const others = [`switchyard-${process.ppid}-${id}.upload`, "switchyard-999999999-x.upload", "notes.upload"]
        for (const name of [left, ...others]) fs.writeFileSync(join(path, name), "x")
        TemporaryPlace.make(path).sweep()
        while (fs.existsSync(join(path, left))) await new Promise((resume) => setImmediate(resume))
        assert.deepStrictEqual(fs.readdirSync(path).sort(), others.sort())
      })
    )
  )
})
