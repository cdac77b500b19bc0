/**
 * Where uploads lie that are too large for memory: files of the system's folder for such (`TMPDIR`), for this user's eyes alone.
 * A file loses its name as soon as it is open, so that none is left, however the process ends; one that a kill in between has
 * left goes at the next start.
 */
import { randomUUID } from "node:crypto"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Gives temporary files. */
export interface TemporaryPlace {
  /** Gives a file that is open for reading and writing and has no name; undefined where none can be made. */
  readonly open: (done: (fd: number | undefined) => void) => void
  /** Deletes what processes that are no more have left. */
  readonly sweep: () => void
}

const ours = /^switchyard-(\d+)-[0-9a-f-]{36}\.upload$/

/** In a container every process has the same number as the one before it. A file of another's that is open is not harmed. */
const isGone = (pid: number): boolean => {
  if (pid === process.pid) return true
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH"
  }
}

/** The files of `folder`. */
export const make = (folder: string = tmpdir()): TemporaryPlace => ({
  open: (done) => {
    const path = join(folder, `switchyard-${process.pid}-${randomUUID()}.upload`)
    fs.open(path, "wx+", 0o600, (error, fd) => {
      if (error !== null) return done(undefined)
      // Where a file keeps its name while it is open, the system deletes it when it is closed.
      fs.unlink(path, () => done(fd))
    })
  },
  sweep: () => {
    fs.readdir(folder, (error, names) => {
      if (error !== null) return
      for (const name of names) {
        const [, pid] = ours.exec(name) ?? []
        if (pid !== undefined && isGone(Number(pid))) fs.unlink(join(folder, name), () => {})
      }
    })
  }
})
