/**
 * Reads a configuration again when its files change, or on a signal. Folders are watched rather than files, so that editors
 * which replace a file and mounted config maps, which swap a symbolic link, are noticed; what counts is what the files say.
 */

import { type FSWatcher, watch as watchFolder } from "node:fs"
import { realpath } from "node:fs/promises"
import { dirname } from "node:path"
import * as Background from "@switchyard/core/Background"
import { Duration, Effect, Either, Option, Queue, type Scope, Stream } from "effect"
import * as ConfigFile from "./ConfigFile.js"
import { bytesOf, fingerprintOf } from "./readFiles.js"

/** A file that was read again: it can be used, or not. */
export type Change = Either.Either<ConfigFile.LoadedConfig, ConfigFile.ConfigFileError>

/** What is watched: a configuration that was loaded, or the error of one that could not be. */
export type Watched = Pick<ConfigFile.LoadedConfig, "files" | "fingerprint">

/** How files are watched. */
export interface Options extends ConfigFile.ReadOptions {
  /** Time from the first sign of a change to the reading, for files that are still being written. Default 200 ms. */
  readonly settle?: Duration.DurationInput
  /** Time between looks at files whose file system announces no changes, for example over a network. Default 30 seconds. */
  readonly interval?: Duration.DurationInput
  /** Signal on which the files are read whether they have changed or not; false for none. Default `SIGHUP`. */
  readonly signal?: NodeJS.Signals | false
}

/** The folders of the files, and of what they link to. */
const foldersOf = async (files: ReadonlyArray<string>): Promise<ReadonlySet<string>> => {
  const real = await Promise.all(files.map((file) => realpath(file).catch(() => file)))
  return new Set([...files, ...real].map((file) => dirname(file)))
}

/** Watches folders, and others once the files change; all watching ends with the scope. */
const makeWatchers = (wake: () => void) => {
  const watchers = new Map<string, FSWatcher>()
  const drop = (folder: string): void => {
    watchers.get(folder)?.close()
    watchers.delete(folder)
  }
  const add = (folder: string): void => {
    try {
      const watcher = watchFolder(folder, { persistent: false }, wake)
      // A folder that vanished is tried again at the next look.
      watcher.on("error", () => drop(folder))
      watchers.set(folder, watcher)
    } catch {
      drop(folder)
    }
  }
  const cover = async (files: ReadonlyArray<string>): Promise<void> => {
    const folders = await foldersOf(files)
    for (const folder of [...watchers.keys()]) if (!folders.has(folder)) drop(folder)
    for (const folder of folders) if (!watchers.has(folder)) add(folder)
  }
  return { cover, closeAll: () => [...watchers.keys()].forEach(drop) }
}

const onSignal = (signal: NodeJS.Signals, listen: () => void) =>
  Effect.acquireRelease(
    Effect.sync(() => process.on(signal, listen)),
    () => Effect.sync(() => process.off(signal, listen))
  )

/** Begins to watch; the stream looks for changes from then on. */
const open = (
  path: string,
  loaded: Watched,
  options: Options
): Effect.Effect<Stream.Stream<Change>, never, Scope.Scope> => {
  const { interval = Duration.seconds(30), settle = Duration.millis(200), signal = "SIGHUP" } = options
  return Effect.gen(function* () {
    let watched: Watched = { files: loaded.files, fingerprint: loaded.fingerprint }
    const wakes = yield* Queue.sliding<void>(1)
    let asked = false
    const wake = () => {
      wakes.unsafeOffer(undefined)
    }
    if (signal !== false) {
      yield* onSignal(signal, () => {
        asked = true
        wake()
      })
    }
    const watchers = yield* Effect.acquireRelease(
      Effect.sync(() => makeWatchers(wake)),
      ({ closeAll }) => Effect.sync(closeAll)
    )
    const cover = Effect.promise(() => watchers.cover(watched.files))
    yield* cover
    yield* Background.run(Effect.forever(Effect.zipRight(Effect.sleep(interval), Effect.sync(wake))))
    wake()

    const differs = Effect.promise(async () => {
      const contents = await Promise.all(watched.files.map(bytesOf))
      return fingerprintOf(contents) !== watched.fingerprint
    })
    const look = Effect.gen(function* () {
      const isAsked = asked
      asked = false
      yield* cover
      if (!isAsked && !(yield* differs)) return Option.none<Change>()
      const change: Change = yield* Effect.either(ConfigFile.load(path, options))
      watched = Either.merge(change)
      yield* cover
      return Option.some(change)
    })
    return Stream.fromQueue(wakes).pipe(
      Stream.tap(() => Effect.sleep(settle)),
      Stream.mapEffect(() => look),
      Stream.filterMap((change) => change)
    )
  })
}

/**
 * The configuration each time that its files say something else, also when they cannot be used then. A change between the
 * loading and the first look is noticed too. `path` is the main file, by the name that problems should call it.
 */
export const changes = (path: string, loaded: Watched, options: Options = {}): Stream.Stream<Change> =>
  Stream.unwrapScoped(open(path, loaded, options))

/** Gives every change to a function, one after the other, until the scope closes. The signal is heard once this returns. */
export const watch = <R>(
  path: string,
  loaded: Watched,
  onChange: (change: Change) => Effect.Effect<void, never, R>,
  options: Options = {}
): Effect.Effect<void, never, R | Scope.Scope> =>
  Effect.asVoid(
    Effect.flatMap(open(path, loaded, options), (stream) => Background.run(Stream.runForEach(stream, onChange)))
  )
