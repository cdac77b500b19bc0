/**
 * A provider for Vercel's AI SDK whose models are the groups of a Switchyard router.
 */
export * as Switchyard from "./Switchyard.js"
