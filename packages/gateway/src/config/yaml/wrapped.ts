/**
 * Files that hold a configuration inside something else: a Helm chart's values, a ConfigMap, a compose file.
 */
import type { Problem } from "../Problem.js"
import type { MapNode, TreeNode } from "./yamlTree.js"

const maxDepth = 8

const isConfiguration = (node: TreeNode): boolean =>
  (node.kind === "map" && (node.entries.has("model_list") || node.entries.has("litellm_settings"))) ||
  (node.kind === "scalar" && typeof node.value === "string" && /^model_list\s*:/m.test(node.value))

const find = (node: TreeNode, path: string, depth: number): readonly [path: string, node: TreeNode] | undefined => {
  if (depth > 0 && isConfiguration(node)) return [path, node]
  if (depth >= maxDepth || node.kind === "scalar") return undefined
  const inner: ReadonlyArray<readonly [string, TreeNode]> =
    node.kind === "map"
      ? [...node.entries].map(([key, entry]) => [path === "" ? key : `${path}.${key}`, entry.node] as const)
      : node.items.map((item, index) => [`${path}[${index}]`, item] as const)
  for (const [at, child] of inner) {
    const found = find(child, at, depth + 1)
    if (found !== undefined) return found
  }
  return undefined
}

/** Says where the configuration is, of a file that is none itself. */
export const wrapped = (root: MapNode): Problem | undefined => {
  if (["model_list", "deployments", "litellm_settings", "router_settings"].some((key) => root.entries.has(key))) {
    return undefined
  }
  const found = find(root, "", 0)
  if (found === undefined) return undefined
  const [path, { place }] = found
  const message = `this file is no configuration itself: LiteLLM's is inside, under ${path}; put that into a file of its own`
  return { severity: "error", path: "", message, ...place }
}
