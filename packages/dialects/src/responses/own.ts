/**
 * What Responses keeps beside the parts of a conversation, so that it can write again what it has read: the item and the piece of
 * content that a part was read from, by reference. The keys are its own: no other dialect's extra fields are taken for these.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { Part, Source } from "../conversation/Conversation.js"
import { asObject } from "../parts/values.js"

/** The item that a part or a turn stands in, and the piece of its content. */
export const keep = (item: JsonObject, piece?: JsonObject, source?: Source): JsonObject => ({
  responsesItem: item,
  ...(piece === undefined ? {} : { responsesPiece: piece }),
  ...(source === undefined ? {} : { responsesSource: source })
})

/** The item that it was read from; undefined for what another dialect said. */
export const itemOf = ({ extra }: { readonly extra?: JsonObject | undefined }): JsonObject | undefined =>
  asObject(extra?.responsesItem)

/** The piece of content that a part was read from, while the part still says the same. */
export const pieceOf = (part: Part): JsonObject | undefined => {
  const piece = asObject(part.extra?.responsesPiece)
  if (piece === undefined) return undefined
  if (part.type === "text") return piece.text === part.text ? piece : undefined
  if (part.type === "refusal") return piece.refusal === part.text ? piece : undefined
  return "source" in part && part.source === part.extra?.responsesSource ? piece : undefined
}
