/**
 * Which operations a deployment serves, as far as its protocol and its own word tell.
 */
import { isMedia, type MediaOperation, mediaOperations, type Operation } from "../shared/Operation.js"
import type { Deployment } from "./Deployment.js"

const all: ReadonlySet<MediaOperation> = new Set(mediaOperations)
const none: ReadonlySet<MediaOperation> = new Set()

/** What is asked beside conversations, by the protocols that are known. Every other serves what its base service takes. */
const byProtocol: Readonly<Record<string, ReadonlySet<MediaOperation>>> = {
  openai: all,
  responses: all,
  azure: new Set(["image", "imageEdit", "speech", "transcription", "translation"]),
  cohere: new Set(["rerank"]),
  anthropic: none,
  gemini: none,
  vertex: none,
  bedrock: new Set(["rerank"]),
  sagemaker: none,
  watsonx: none,
  snowflake: none,
  oci: none,
  ollama: none
}

/** Whether a protocol has an operation at all; of conversations and embeddings, its base service knows. */
export const hasOperation = (protocol: string, operation: Operation): boolean =>
  !isMedia(operation) || !Object.hasOwn(byProtocol, protocol) || byProtocol[protocol]?.has(operation) === true

/** Whether a deployment serves an operation: as it says itself, else by its protocol. */
export const serves = ({ operations, protocol }: Deployment, operation: Operation): boolean =>
  // What is kept is no model's own.
  operation === "object" || operations === undefined ? hasOperation(protocol, operation) : operations.has(operation)
