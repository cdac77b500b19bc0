/**
 * LLM services over HTTP: the bottom of the tower.
 */
export * as ErrorClassifier from "./errors/ErrorClassifier.js"
export * as KnownProviders from "./known/KnownProviders.js"
export * as NodeProviders from "./NodeProviders.js"
export * as OpenAiCompatible from "./openai/OpenAiCompatible.js"
export * as Providers from "./Providers.js"
export * as SideCalls from "./side/SideCalls.js"
export * as Transport from "./transport/Transport.js"
export * as UndiciTransport from "./transport/UndiciTransport.js"
