/**
 * The witness of a fake upstream: what arrived, how far the answer got and how it ended.
 *
 * @since 0.1.0
 */

/**
 * How an exchange ended. `answered`: completely, as a good answer. `errored`: completely, with an error status or with
 * a fault inside the body. `cut`: the upstream broke it off. `refused`: the socket was destroyed before any answer.
 * `hung`: it was silent until the upstream was killed, reset or closed. `clientAborted`: the client left first.
 */
export type End = "answered" | "clientAborted" | "cut" | "refused" | "errored" | "hung"

/** One request in the journal, as it stood when it was read; times are milliseconds since the upstream started. */
export interface JournalEntry {
  readonly seq: number
  readonly method: string
  readonly path: string
  /** Lower-case names; keys (`authorization`, `api-key`, ...) are masked to their last four characters. */
  readonly headers: Readonly<Record<string, string>>
  /** Parsed JSON; the raw text when it was no JSON; `undefined` when there was none. */
  readonly body: unknown
  readonly stream: boolean
  readonly receivedAt: number
  /** Chunks bearing content, reasoning or tool calls that were written so far. */
  readonly chunksSent: number
  /** Bytes of the answer's body that were written so far. */
  readonly bytesSent: number
  /** True while the upstream waits for a slow reader to drain the socket. */
  readonly paused: boolean
  /** HTTP status, once headers were written. */
  readonly status?: number
  /** Absent while the exchange is in flight. */
  readonly end?: End
  readonly endedAt?: number
  /** Milliseconds from receipt to the end. */
  readonly afterMs?: number
}

/** Counters since the start or the last reset; `failed` is the sum of errored, cut, refused and hung. */
export interface Stats {
  readonly requests: number
  readonly answered: number
  readonly failed: number
  readonly clientAborted: number
  readonly errored: number
  readonly cut: number
  readonly refused: number
  readonly hung: number
  /** Sockets accepted: fewer than requests when the client reuses connections. */
  readonly connections: number
  /** Most exchanges ever in flight at once: the witness for limits on parallel calls. */
  readonly peakInFlight: number
}

/** The mutable form of an entry, cheap to make: headers stay raw until somebody reads the journal. */
export interface Row {
  readonly seq: number
  readonly method: string
  readonly path: string
  readonly rawHeaders: ReadonlyArray<string>
  readonly body: unknown
  readonly bodyBytes: number
  readonly stream: boolean
  readonly receivedAt: number
  chunksSent: number
  bytesSent: number
  paused: boolean
  status: number | undefined
  end: End | undefined
  endedAt: number
}

const secret = new Set(["authorization", "proxy-authorization", "api-key", "x-api-key", "x-goog-api-key"])

const maskedHeaders = (raw: ReadonlyArray<string>): Record<string, string> => {
  const headers: Record<string, string> = {}
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? "").toLowerCase()
    const given = raw[i + 1] ?? ""
    const value = secret.has(name) ? `****${given.slice(-4)}` : given
    const earlier = headers[name]
    headers[name] = earlier === undefined ? value : `${earlier}, ${value}`
  }
  return headers
}

/** The read-only copy of a row that tests get to see. */
export const entryOf = (row: Row): JournalEntry => ({
  seq: row.seq,
  method: row.method,
  path: row.path,
  headers: maskedHeaders(row.rawHeaders),
  body: row.body,
  stream: row.stream,
  receivedAt: row.receivedAt,
  chunksSent: row.chunksSent,
  bytesSent: row.bytesSent,
  paused: row.paused,
  ...(row.status === undefined ? undefined : { status: row.status }),
  ...(row.end === undefined ? undefined : { end: row.end, endedAt: row.endedAt, afterMs: row.endedAt - row.receivedAt })
})

const keptBodyBytes = 64 * 1024 * 1024

const zero = () => ({
  requests: 0,
  answered: 0,
  clientAborted: 0,
  errored: 0,
  cut: 0,
  refused: 0,
  hung: 0,
  connections: 0,
  peakInFlight: 0
})

/**
 * A bounded journal: beyond `limit` rows, or 64 MiB of request bodies, the oldest rows are dropped. Adding and changing
 * a row costs nothing more while nobody waits on the journal.
 */
export const makeJournal = (limit: number) => {
  let rows: Array<Row | undefined> = []
  let head = 0
  let bytes = 0
  let inFlight = 0
  let counts = zero()
  const watchers = new Set<(row: Row) => void>()

  const changed = (row: Row): void => {
    if (watchers.size === 0) return
    for (const watcher of [...watchers]) watcher(row)
  }
  const trim = (): void => {
    while (rows.length - head > limit || (bytes > keptBodyBytes && head < rows.length - 1)) {
      bytes -= rows[head]?.bodyBytes ?? 0
      rows[head++] = undefined
    }
    if (head > 1024 && head * 2 > rows.length) {
      rows = rows.slice(head)
      head = 0
    }
  }
  return {
    changed,
    add: (row: Row): void => {
      rows.push(row)
      bytes += row.bodyBytes
      counts.requests++
      inFlight++
      if (inFlight > counts.peakInFlight) counts.peakInFlight = inFlight
      trim()
      changed(row)
    },
    end: (row: Row, end: End, at: number): void => {
      row.end = end
      row.endedAt = at
      row.paused = false
      inFlight--
      counts[end]++
      changed(row)
    },
    connected: (): void => {
      counts.connections++
    },
    inFlight: (): number => inFlight,
    entries: (): ReadonlyArray<JournalEntry> =>
      rows.slice(head).flatMap((row) => (row === undefined ? [] : [entryOf(row)])),
    stats: (): Stats => ({ ...counts, failed: counts.errored + counts.cut + counts.refused + counts.hung }),
    /** Calls `watcher` at every change of a row until the returned function is called. */
    watch: (watcher: (row: Row) => void): (() => void) => {
      watchers.add(watcher)
      return () => void watchers.delete(watcher)
    },
    reset: (): void => {
      rows = []
      head = 0
      bytes = 0
      counts = zero()
    }
  }
}

/** The journal of one fake upstream. */
export type Journal = ReturnType<typeof makeJournal>
