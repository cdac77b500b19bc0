/** Keys, budgets and usage records that outlive a process. */
export * as LedgerError from "./errors/LedgerError.js"
export * as LedgerKey from "./keys/LedgerKey.js"
export * as Ledger from "./ledger/Ledger.js"
export * as Lease from "./money/Lease.js"
export * as Money from "./record/Money.js"
export * as UsageRecord from "./record/UsageRecord.js"
export * as Report from "./store/Report.js"
export * as Store from "./store/Store.js"
