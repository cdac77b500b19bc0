/**
 * Where a path leads in a file's tree.
 */
import type { Entry, ListNode, MapNode, Place, TreeNode } from "./yamlTree.js"

/** Where a path leads in a tree. */
export interface Location {
  readonly place: Place
  /** The node there, or the nearest one above it. */
  readonly node: TreeNode
  /** Whether the path leads all the way. */
  readonly exact: boolean
}

/**
 * Finds a path such as `a.b[2].c`. A key may hold dots itself, so at each object the longest key that fits is taken. A path
 * that does not lead all the way gives the nearest node above.
 */
export const locate = (root: TreeNode, path: string): Location => {
  let location: Location = { place: root.place, node: root, exact: path === "" }
  let rest = path
  while (rest !== "") {
    const { node } = location
    const next = node.kind === "map" ? intoMap(node, rest) : node.kind === "list" ? intoList(node, rest) : undefined
    if (next === undefined) return { ...location, exact: false }
    rest = next.rest
    location = { place: next.place, node: next.node, exact: rest === "" }
  }
  return location
}

interface Step extends Entry {
  readonly rest: string
}

/** The longest beginning of a path, up to one of its marks, that is a key. An object may have 100,000 others. */
export const firstKey = (path: string, has: (key: string) => boolean): string | undefined => {
  for (let end = path.length; end >= 0; end--) {
    const after = path[end]
    if (after !== undefined && after !== "." && after !== "[") continue
    const key = path.slice(0, end)
    if (has(key)) return key
  }
  return undefined
}

const intoMap = (node: MapNode, path: string): Step | undefined => {
  const key = firstKey(path, (one) => node.entries.has(one))
  const entry = key === undefined ? undefined : node.entries.get(key)
  if (key === undefined || entry === undefined) return undefined
  return { ...entry, rest: path.slice(key.length).replace(/^\./, "") }
}

const intoList = (node: ListNode, path: string): Step | undefined => {
  const index = /^\[(\d+)\]\.?/.exec(path)
  const item = index === null ? undefined : node.items[Number(index[1])]
  return index === null || item === undefined
    ? undefined
    : { place: item.place, node: item, rest: path.slice(index[0].length) }
}
