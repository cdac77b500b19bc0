import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigFile from "@switchyard/gateway/ConfigFile"
import * as ConfigWatch from "@switchyard/gateway/ConfigWatch"
import { Effect, Either, Queue, type Scope } from "effect"
import { folderWith } from "../support/configFiles.js"

const text = (id: string) => `deployments: [{id: ${id}, group: g, model: m}]\n`

const options: ConfigWatch.Options = { env: {}, settle: "5 millis", interval: "1 hour", signal: false }

/** Watches a file, and gives what comes of it: the first deployment's id, or what is wrong. */
const watching = (
  path: string,
  more: ConfigWatch.Options = {}
): Effect.Effect<Queue.Dequeue<string>, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const seen = yield* Queue.unbounded<string>()
    const loaded = yield* Effect.merge(ConfigFile.load(path, { env: {} }))
    const say = Either.match({
      onLeft: (error: ConfigFile.ConfigFileError) => error.problems[0]?.message ?? "",
      onRight: ({ config }: ConfigFile.LoadedConfig) => config.router.deployments[0]?.id ?? ""
    })
    yield* ConfigWatch.watch(path, loaded, (change) => Queue.offer(seen, say(change)), { ...options, ...more })
    return seen
  })

describe("watching files", () => {
  it.scopedLive("sees a file that is written again, one that is replaced, and says what is wrong with a bad one", () =>
    Effect.gen(function* () {
      const folder = yield* folderWith({ "config.yaml": text("a") })
      const path = join(folder, "config.yaml")
      const seen = yield* watching(path)
      writeFileSync(path, text("b"))
      assert.strictEqual(yield* Queue.take(seen), "b")
      writeFileSync(join(folder, "new"), text("c"))
      renameSync(join(folder, "new"), path)
      assert.strictEqual(yield* Queue.take(seen), "c")
      writeFileSync(path, "- no\n")
      assert.include(yield* Queue.take(seen), "expected settings")
      rmSync(path)
      assert.strictEqual(yield* Queue.take(seen), "no such file")
      writeFileSync(path, text("d"))
      assert.strictEqual(yield* Queue.take(seen), "d")
    })
  )

  it.scopedLive("sees what an included file says, also of one that was missing at first", () =>
    Effect.gen(function* () {
      const folder = yield* folderWith({ "config.yaml": "include: [sub/more.yaml]\n" })
      mkdirSync(join(folder, "sub"))
      const seen = yield* watching(join(folder, "config.yaml"))
      writeFileSync(join(folder, "sub", "more.yaml"), text("a"))
      assert.strictEqual(yield* Queue.take(seen), "a")
      writeFileSync(join(folder, "sub", "more.yaml"), text("b"))
      assert.strictEqual(yield* Queue.take(seen), "b")
    })
  )

  it.scopedLive("sees a mounted config map whose link is swapped", () =>
    Effect.gen(function* () {
      const folder = yield* folderWith({})
      for (const id of ["a", "b"]) {
        mkdirSync(join(folder, `..${id}`))
        writeFileSync(join(folder, `..${id}`, "config.yaml"), text(id))
      }
      symlinkSync("..a", join(folder, "..data"))
      symlinkSync(join("..data", "config.yaml"), join(folder, "config.yaml"))
      const seen = yield* watching(join(folder, "config.yaml"))
      symlinkSync("..b", join(folder, "..next"))
      renameSync(join(folder, "..next"), join(folder, "..data"))
      assert.strictEqual(yield* Queue.take(seen), "b")
      writeFileSync(join(folder, "..b", "config.yaml"), text("c"))
      assert.strictEqual(yield* Queue.take(seen), "c")
    })
  )

  it.scopedLive("is not woken by other files, nor by the same words written again", () =>
    Effect.gen(function* () {
      const folder = yield* folderWith({ "config.yaml": text("a") })
      const path = join(folder, "config.yaml")
      const seen = yield* watching(path)
      writeFileSync(join(folder, "other"), "x")
      writeFileSync(path, text("a"))
      writeFileSync(path, text("b"))
      assert.strictEqual(yield* Queue.take(seen), "b")
      assert.strictEqual(yield* Queue.size(seen), 0)
    })
  )

  it.scopedLive("notices a change between the loading and the first look", () =>
    Effect.gen(function* () {
      const folder = yield* folderWith({ "config.yaml": text("a") })
      const path = join(folder, "config.yaml")
      const loaded = yield* ConfigFile.load(path, { env: {} })
      writeFileSync(path, text("b"))
      const seen = yield* Queue.unbounded<boolean>()
      yield* ConfigWatch.watch(path, loaded, (change) => Queue.offer(seen, Either.isRight(change)), options)
      assert.isTrue(yield* Queue.take(seen))
    })
  )

  it.scopedLive("reads the files on the signal although they have not changed, and leaves no listener", () =>
    Effect.gen(function* () {
      const folder = yield* folderWith({ "config.yaml": text("a") })
      const before = process.listenerCount("SIGHUP")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const seen = yield* watching(join(folder, "config.yaml"), { signal: "SIGHUP" })
          assert.strictEqual(process.listenerCount("SIGHUP"), before + 1)
          process.emit("SIGHUP", "SIGHUP")
          assert.strictEqual(yield* Queue.take(seen), "a")
        })
      )
      assert.strictEqual(process.listenerCount("SIGHUP"), before)
    })
  )

  it.scopedLive("looks from time to time where nothing announces a change", () =>
    Effect.gen(function* () {
      const folder = yield* folderWith({ "config.yaml": text("a") })
      const path = join(folder, "config.yaml")
      const seen = yield* watching(path, { interval: "10 millis" })
      // A folder that goes away takes its watcher with it.
      rmSync(folder, { recursive: true })
      assert.strictEqual(yield* Queue.take(seen), "no such file")
      mkdirSync(folder)
      writeFileSync(path, text("b"))
      assert.strictEqual(yield* Queue.take(seen), "b")
      writeFileSync(path, text("c"))
      assert.strictEqual(yield* Queue.take(seen), "c")
    })
  )
})
