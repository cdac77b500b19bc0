import type { Dropped } from "@switchyard/dialects/Problem"
import type { Hearing } from "../exchange/hearing.js"
import type { Form } from "../media/form.js"
import type { Ask } from "../protocols/protocol.js"

type Json = string | Uint8Array

/** The same request in a plainer form, for a provider that refuses what it may do without. */
interface Plainer {
  readonly isRefused: (status: number, body: string) => boolean
  readonly body: () => Json
  /** It was taken so. */
  readonly worked: () => void
}

/** A request as it goes out. */
export interface Saying {
  readonly ask: Ask
  readonly body: Json
  readonly plainer: Plainer | undefined
  /** How its answer is heard; undefined for OpenAI's chat to a caller of it. */
  readonly hearing: Hearing | undefined
  /** In place of `body`: a form, which is made while it is sent. */
  readonly form?: Form | undefined
  /** What its headers say otherwise than usual. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** What was left out of it. */
  readonly dropped: ReadonlyArray<Dropped>
  /** Beta features to be named in the header; undefined where the caller's own header stands as it is. */
  readonly betas: string | undefined
}
