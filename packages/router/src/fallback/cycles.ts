/**
 * Cycles of a directed graph: the strongly connected components after Tarjan (1972), and in each one shortest cycle.
 * Iterative, so that a long chain cannot overflow the stack.
 */

/** Node to successors. A successor that is no key is a node without successors; duplicates do no harm. */
export type Graph = ReadonlyMap<string, ReadonlyArray<string>>

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const sorted = (names: Iterable<string>): ReadonlyArray<string> => [...names].sort(byCodeUnit)

interface Frame {
  readonly node: string
  readonly successors: ReadonlyArray<string>
  next: number
}

/** The strongly connected components; a node that is on no cycle is a component of its own. */
export const components = (graph: Graph): ReadonlyArray<ReadonlyArray<string>> => {
  const found: Array<ReadonlyArray<string>> = []
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const open: Array<string> = []
  const isOpen = new Set<string>()
  const lower = (node: string, candidate: number) => {
    if (candidate < (lowest.get(node) ?? candidate)) lowest.set(node, candidate)
  }
  const enter = (node: string): Frame => {
    order.set(node, order.size)
    lowest.set(node, order.size - 1)
    open.push(node)
    isOpen.add(node)
    return { node, successors: graph.get(node) ?? [], next: 0 }
  }
  const leave = (node: string) => {
    if (lowest.get(node) !== order.get(node)) return
    const members = open.splice(open.lastIndexOf(node))
    for (const member of members) isOpen.delete(member)
    found.push(members)
  }
  for (const root of graph.keys()) {
    if (order.has(root)) continue
    const path = [enter(root)]
    for (let frame = path[path.length - 1]; frame !== undefined; frame = path[path.length - 1]) {
      const successor = frame.successors[frame.next++]
      if (successor === undefined) {
        path.pop()
        leave(frame.node)
        const parent = path[path.length - 1]
        if (parent !== undefined) lower(parent.node, lowest.get(frame.node) ?? 0)
      } else if (!order.has(successor)) {
        path.push(enter(successor))
      } else if (isOpen.has(successor)) {
        lower(frame.node, order.get(successor) ?? 0)
      }
    }
  }
  return found
}

/**
 * The shortest cycle through `start` inside a component, as a closed path; of equally short ones the first in order of
 * names. Undefined when there is none shorter than `bound` edges.
 */
const cycleThrough = (
  start: string,
  successors: ReadonlyMap<string, ReadonlyArray<string>>,
  bound: number
): ReadonlyArray<string> | undefined => {
  const parent = new Map<string, string | undefined>([[start, undefined]])
  let level: Array<string> = [start]
  for (let length = 1; length < bound && level.length > 0; length++) {
    const nextLevel: Array<string> = []
    for (const node of level) {
      for (const successor of successors.get(node) ?? []) {
        if (successor === start) {
          const path = [start]
          for (let at: string | undefined = node; at !== undefined; at = parent.get(at)) path.push(at)
          return path.reverse()
        }
        if (parent.has(successor)) continue
        parent.set(successor, node)
        nextLevel.push(successor)
      }
    }
    level = nextLevel
  }
  return undefined
}

/**
 * One shortest cycle per strongly connected component that has one, as closed paths (`[a, b, a]`; a node that names
 * itself is `[a, a]`). Each begins with its first name in code unit order, the list is ordered by those; of equally short
 * cycles the first in order of names is taken. So the answer depends on the graph alone, not on the order of its keys.
 */
export const shortestCycles = (graph: Graph): ReadonlyArray<ReadonlyArray<string>> => {
  const cycles: Array<ReadonlyArray<string>> = []
  for (const component of components(graph)) {
    const members = new Set(component)
    const inside = new Map<string, ReadonlyArray<string>>()
    for (const node of component) {
      inside.set(
        node,
        sorted(new Set(graph.get(node))).filter((successor) => members.has(successor))
      )
    }
    let best: ReadonlyArray<string> | undefined
    for (const start of sorted(component)) {
      best = cycleThrough(start, inside, best === undefined ? component.length + 1 : best.length - 1) ?? best
    }
    if (best !== undefined) cycles.push(best)
  }
  return cycles.sort((a, b) => byCodeUnit(a[0] ?? "", b[0] ?? ""))
}
