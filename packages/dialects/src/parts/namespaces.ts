/**
 * Names of tools in namespaces, as one name that says both: for dialects without namespaces.
 */

/** `mcp__files` and `read` are `mcp__files__read`; without a namespace the name alone. */
export const flatName = (name: string, namespace: string | undefined): string =>
  namespace === undefined ? name : namespace.endsWith("__") ? namespace + name : `${namespace}__${name}`
