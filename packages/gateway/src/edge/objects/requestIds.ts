/**
 * The ids of what providers keep, in a request and in its answer.
 */
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { Either } from "effect"
import type { Refusal, Speech } from "../../errors/ErrorBody.js"
import type { Generation } from "../../generations/Generations.js"
import type { Caller } from "../../keys/KeyRing.js"
import { openAll, rememberedBy } from "../../objects/openedIds.js"
import { ownerOf } from "../../objects/owners.js"
import { ResponseIds } from "../../objects/responseIds.js"
import { mark, type Sealer } from "../../objects/SealedIds.js"
import type { Received } from "../calls/bodyReader.js"
import type { ReceivedForm } from "../uploads/uploadReader.js"

/** Whose request it is, and where. */
interface Asked {
  readonly speech: Speech
  readonly caller: Caller
  readonly generation: Generation
  readonly sealer: Sealer | undefined
}

/** A request with the provider's own ids in it, and what seals those of its answer. */
interface WithIds {
  readonly request: LlmRequest
  readonly ids: ResponseIds | undefined
}

/** Whether there may be a sealed id in it. */
const mayHold = (received: Received | ReceivedForm): boolean =>
  Buffer.isBuffer(received) ? received.includes(mark) : !("form" in received)

/** Opens the ids of a request. A body without the mark of sealed ones is not looked through for them, but for Responses. */
export const withOwnIds = (
  request: LlmRequest,
  received: Received | ReceivedForm,
  { caller, generation, sealer, speech }: Asked
): Either.Either<WithIds, Refusal> => {
  const isResponse = speech === "responses"
  if (sealer === undefined || (!isResponse && !mayHold(received))) return Either.right({ request, ids: undefined })
  return Either.map(openAll(sealer, request, caller, generation), (opened) => ({
    request: opened.request,
    ids: isResponse ? new ResponseIds(sealer, ownerOf(caller), opened.shown, rememberedBy(generation)) : undefined
  }))
}
