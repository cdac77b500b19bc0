import * as Data from "effect/Data"

/** The store behind a ledger did not do what it was asked for. */
export class LedgerError extends Data.TaggedError("LedgerError")<{
  /**
   * `away`: it can't be reached, or did not answer in time; `refused`: a wrong password; `rights`: the user may make no tables there; `full`: no
   * space left; `readOnly`; `locked`: another program holds it; `newer`: its tables are of a later version of this program;
   * `corrupt`: it is no database, or a damaged one; `conflict`: such a key, name or group is there already; `place`: the folder
   * can't be used; `missing`: a package has to be installed.
   */
  readonly reason:
    | "away"
    | "refused"
    | "rights"
    | "full"
    | "readOnly"
    | "locked"
    | "newer"
    | "corrupt"
    | "conflict"
    | "place"
    | "missing"
  /** A sentence for people: what it was about, and what helps. No secret is in it. */
  readonly description: string
}> {
  override get message(): string {
    return this.description
  }
}
