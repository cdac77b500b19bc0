/**
 * LiteLLM's configuration in Switchyard's words.
 */
export * as LiteLlmConfig from "./LiteLlmConfig.js"
export * as OwnParameters from "./models/OwnParameters.js"
export * as ProviderModel from "./ProviderModel.js"
export * as TheirUnits from "./TheirUnits.js"
