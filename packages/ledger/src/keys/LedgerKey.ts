/**
 * Keys that were given out over HTTP or by a command, with the teams and users that they belong to.
 */

/** A sum that may be spent in a length of time. Money is whole nano-USD. */
export interface Allowance {
  /** 0 means that nothing may be spent. */
  readonly max: number
  /** Length of a window, ms; undefined: never ends. */
  readonly window: number | undefined
  /** Where a warning is due, and nothing is refused. */
  readonly soft: number | undefined
}

/** What its bearers may do, of a key, a team or a user. */
export interface Terms {
  /** Model groups that may be asked for; `*` stands for any text. Undefined, and an empty list: all. */
  readonly models: ReadonlyArray<string> | undefined
  readonly allowance: Allowance | undefined
  /** Requests per 60 s. */
  readonly rpm: number | undefined
  /** Tokens per 60 s. */
  readonly tpm: number | undefined
  /** Requests in progress at once. */
  readonly maxParallel: number | undefined
  readonly isBlocked: boolean
}

/** A key. The key itself is shown once and kept nowhere. */
export interface LedgerKey extends Terms {
  /** How it is kept: HMAC-SHA256 of the key under the ledger's secret, hex; of imported ones their SHA-256, as `sha256:HEX`. */
  readonly hash: string
  /** Names it in limits, logs and reports: its alias, else `key-` and 12 digits of its hash. Unique. */
  readonly name: string
  readonly alias: string | undefined
  /** How it begins and ends, to be told apart by people: `sk-...1a2b`. */
  readonly hint: string
  readonly team: string | undefined
  readonly user: string | undefined
  /** Other names of models, for this key alone. */
  readonly aliases: Readonly<Record<string, string>>
  readonly tags: ReadonlyArray<string>
  /** What whoever made it wanted to note; told back, read by nothing. JSON. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** Wall-clock ms from which on it is not accepted any more. */
  readonly expiresAt: number | undefined
  readonly createdAt: number
  readonly updatedAt: number
}

/** A team or a user: its terms hold for all its keys together. */
export interface LedgerGroup extends Terms {
  readonly kind: "team" | "user"
  readonly id: string
  readonly alias: string | undefined
  readonly metadata: Readonly<Record<string, unknown>>
  readonly createdAt: number
  readonly updatedAt: number
}

/** Everything that decides who may come in, and the number of the change that it is up to date with. */
export interface KeySnapshot {
  readonly version: number
  readonly keys: ReadonlyArray<LedgerKey>
  readonly groups: ReadonlyArray<LedgerGroup>
}

/** What has changed since a version. */
export interface KeyChanges extends KeySnapshot {
  /** Hashes of keys that are gone. */
  readonly goneKeys: ReadonlyArray<string>
  /** `team ID` and `user ID` that are gone. */
  readonly goneGroups: ReadonlyArray<string>
}
