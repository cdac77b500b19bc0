/**
 * What other libraries let their users say beside a prompt's parts, and keep beside an answer's: options by the name of who they are for.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { CacheMark } from "../conversation/Conversation.js"

/** The name under which Switchyard is given options, and keeps things. */
export const provider = "switchyard"

/** Options by the name of who they are for. */
export type Options = Readonly<Record<string, unknown>> | undefined

/** What is said to Switchyard. */
export const own = (options: Options): JsonObject => {
  const said = options?.[provider]
  return isJsonObject(said) ? said : {}
}

/** The state that came with a part of an answer, as an app hands it back. */
export const stateOf = (options: Options): JsonObject | undefined => {
  const { state } = own(options)
  return isJsonObject(state) ? state : undefined
}

/** `cacheControl: { type: "ephemeral", ttl? }`, said to Switchyard or as Anthropic's provider has it. */
export const cacheOf = (options: Options): CacheMark | undefined => {
  const { anthropic } = options ?? {}
  const said = own(options).cacheControl ?? (isJsonObject(anthropic) ? anthropic.cacheControl : undefined)
  if (!isJsonObject(said)) return undefined
  return typeof said.ttl === "string" ? { ttl: said.ttl } : {}
}
