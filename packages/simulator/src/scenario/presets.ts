import type * as Router from "@switchyard/router/Router"

/** Layers that are off by default, as variants: the options of the router with one of them on, or two that belong together. */
export const presets: Readonly<Record<string, Partial<Router.Options>>> = {
  adaptive: { adaptiveConcurrency: {} },
  "adaptive-objective": { strategy: "objective", groupStrategies: {}, adaptiveConcurrency: {} },
  ejecting: { outlierEjection: {} },
  throttled: { throttle: {} },
  "adaptive-throttled": { adaptiveConcurrency: {}, throttle: {} }
}
