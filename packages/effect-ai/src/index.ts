/**
 * Language and embedding models of `@effect/ai` over a Switchyard router.
 */
export * as SwitchyardEmbeddingModel from "./SwitchyardEmbeddingModel.js"
export * as SwitchyardError from "./SwitchyardError.js"
export * as SwitchyardLanguageModel from "./SwitchyardLanguageModel.js"
