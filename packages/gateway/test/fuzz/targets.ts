/** Everything that is fuzzed, by name. */
export { make as config } from "./config.js"
export { make as edge } from "./edge.js"
export { make as upstream } from "./upstream.js"
