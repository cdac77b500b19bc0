/** Leases of money, as windows ask for them and stores grant them. */
export type { LeaseAsk, LeaseGrant, Spent, WindowName, WindowState } from "@switchyard/router/SpendLease"
