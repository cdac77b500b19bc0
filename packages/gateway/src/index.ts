export * as ConfigFile from "./ConfigFile.js"
export * as GatewayConfig from "./GatewayConfig.js"
export * as LiteLlmConfig from "./LiteLlmConfig.js"
export * as Problem from "./Problem.js"
