/**
 * What tests of Switchyard layers need: a scripted service, a fake HTTP provider, the contract that every layer must
 * keep, and a clock for property tests.
 */
export * as Contract from "./contract/Contract.js"
export * as Dice from "./Dice.js"
export * as Effort from "./Effort.js"
export * as EngineContract from "./engine/EngineContract.js"
export * as FakeProvider from "./fake/FakeProvider.js"
export * as SpokenProvider from "./fake/SpokenProvider.js"
export * as ManualClock from "./ManualClock.js"
export * as Operations from "./Operations.js"
export * as PostgresServer from "./programs/PostgresServer.js"
export * as RedisServer from "./programs/RedisServer.js"
export * as StubLlm from "./StubLlm.js"
export * as TinDialect from "./TinDialect.js"
