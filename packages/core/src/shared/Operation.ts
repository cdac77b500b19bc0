/**
 * What requests ask for, and deployments serve.
 */

/** What OpenAI's own dialect knows, and all dialects of conversations. */
export type TextOperation = "chat" | "completion" | "embeddings"

/** What is asked beside conversations, in the dialect of `Media`. */
export type MediaOperation =
  | "rerank"
  | "moderation"
  | "image"
  | "imageEdit"
  | "imageVariation"
  | "speech"
  | "transcription"
  | "translation"

/** What a request asks for (`object`: something of what providers keep, or what is passed through to them): a conversation's turn, texts to complete or to embed, or one of the endpoints beside them. */
export type Operation = TextOperation | MediaOperation | "object"

/** What is asked beside conversations. */
export const mediaOperations = [
  "rerank",
  "moderation",
  "image",
  "imageEdit",
  "imageVariation",
  "speech",
  "transcription",
  "translation"
] as const satisfies ReadonlyArray<MediaOperation>

/** Every operation, as deployments and files name them. */
export const operations = [
  "chat",
  "completion",
  "embeddings",
  ...mediaOperations,
  "object"
] as const satisfies ReadonlyArray<Operation>

/** Whether it is asked beside conversations, in the dialect of `Media`. */
export const isMedia = (operation: Operation): operation is MediaOperation =>
  operation !== "object" && operation !== "chat" && operation !== "completion" && operation !== "embeddings"

/** Whether its request is a form with files in it. */
export const isForm = (operation: Operation): boolean =>
  operation === "object" ||
  operation === "imageEdit" ||
  operation === "imageVariation" ||
  operation === "transcription" ||
  operation === "translation"
