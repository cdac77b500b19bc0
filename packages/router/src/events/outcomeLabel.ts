/** How outcomes are called in labels and events. */
export const outcomeLabel = { Completed: "success", Failed: "failure", Abandoned: "abandoned" } as const

/** How a call ended, in a label or an event. */
export type OutcomeLabel = (typeof outcomeLabel)[keyof typeof outcomeLabel]
