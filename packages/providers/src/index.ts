/**
 * LLM services over HTTP: the bottom of the tower.
 */
export * as ErrorClassifier from "./ErrorClassifier.js"
export * as KnownProviders from "./KnownProviders.js"
export * as OpenAiCompatible from "./OpenAiCompatible.js"
export * as Providers from "./Providers.js"
export * as Transport from "./Transport.js"
