/** State that many replicas share, in Redis or Valkey. */
export * as RedisConnection from "./connection/RedisConnection.js"
export * as RedisEngine from "./RedisEngine.js"
export * as RedisState from "./RedisState.js"
