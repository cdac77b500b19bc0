/**
 * What is wrong with, or worth knowing about, a configuration file: one finding with its place, so that a user mends it
 * without searching.
 */

/** `error`: the file cannot be used. `warning`: a setting is not honoured. `note`: honoured, but not as one might think. */
export type Severity = "error" | "warning" | "note"

/** One finding in the settings, before anybody knows in which line it stands. */
export interface Finding {
  readonly severity: Severity
  /** Where it is in the file's own words, for example `model_list[2].litellm_params.rpm`. */
  readonly path: string
  /** What was expected, or what becomes of the setting; a whole clause, never a secret. */
  readonly message: string
  /** The value found, shortened and masked (`ConfigError.showValue`); undefined where it says nothing. */
  readonly value?: string
  /** What the user probably meant, for a misspelt name. */
  readonly suggestion?: string
}

/** A finding with its place in a file. Lines and columns count from 1; undefined where there is no such place. */
export interface Problem extends Finding {
  readonly file: string | undefined
  readonly line: number | undefined
  readonly column: number | undefined
}
