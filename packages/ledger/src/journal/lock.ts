/**
 * A lock that its process holds until it ends, however it ends: Node locks no files, SQLite does. Neither a process id, which
 * another process or container may have, nor a time that clocks disagree about can say whether a gateway is alive.
 */
import type { Connection, Driver } from "../store/sqlite/driver.js"

/** Takes the lock of a file; undefined when another process has it. Gives what ends it. */
export const take = (driver: Driver, path: string): (() => void) | undefined => {
  let connection: Connection | undefined
  try {
    connection = driver.open(path)
    connection.exec("PRAGMA busy_timeout = 0")
    connection.exec("BEGIN EXCLUSIVE")
  } catch {
    connection?.close()
    return undefined
  }
  const held = connection
  return () => {
    try {
      held.exec("ROLLBACK")
    } finally {
      held.close()
    }
  }
}
