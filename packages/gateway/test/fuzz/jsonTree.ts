/**
 * JSON as it is written: keys that stand twice and numbers of any length keep their text. For mutations, and as the second
 * opinion that answers are held against.
 */

/** `raw` is a string, number or word as it is written, and may be no JSON at all once a mutation has been there. */
export type Tree =
  | { readonly kind: "object"; readonly entries: Array<[key: string, value: Tree]> }
  | { readonly kind: "list"; readonly items: Array<Tree> }
  | { readonly kind: "raw"; text: string }

export const raw = (text: string): Tree => ({ kind: "raw", text })

const token = /[ \t\r\n]*(?:([{}[\],:])|("(?:[^"\\]|\\.)*")|([^ \t\r\n{}[\],:"]+))/y

/** Objects and lists in each other, at most; strings are hopped over. */
export const depthOf = (text: string): number => {
  let [depth, most] = [0, 0]
  for (const [found] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/gs)) {
    if (found === "{" || found === "[") most = Math.max(most, ++depth)
    else if (found === "}" || found === "]") depth--
  }
  return most
}

/** What nests deeper is no tree here: it is walked by recursion. */
const maxDepth = 700

/** Reads valid JSON that does not nest deep; undefined for anything else. */
export const parse = (text: string): Tree | undefined => {
  try {
    JSON.parse(text)
  } catch {
    return undefined
  }
  if (depthOf(text) > maxDepth) return undefined
  let at = 0
  const next = (): string => {
    token.lastIndex = at
    const found = token.exec(text)
    at = token.lastIndex
    return found?.[1] ?? found?.[2] ?? found?.[3] ?? ""
  }
  const peek = (): string => {
    const before = at
    const found = next()
    at = before
    return found
  }
  const value = (): Tree => {
    const first = next()
    if (first === "[") {
      const items: Array<Tree> = []
      if (peek() === "]") next()
      else
        do {
          items.push(value())
        } while (next() === ",")
      return { kind: "list", items }
    }
    if (first !== "{") return raw(first)
    const entries: Array<[string, Tree]> = []
    if (peek() === "}") next()
    else
      do {
        const key = next()
        next()
        entries.push([key, value()])
      } while (next() === ",")
    return { kind: "object", entries }
  }
  return value()
}

export const print = (tree: Tree): string => {
  if (tree.kind === "raw") return tree.text
  if (tree.kind === "list") return `[${tree.items.map(print).join(",")}]`
  return `{${tree.entries.map(([key, value]) => `${key}:${print(value)}`).join(",")}}`
}

/** A tree of a value; `nodes` counts from the root, parents first. */
export const nodes = (root: Tree): ReadonlyArray<Tree> => {
  const found: Array<Tree> = []
  const visit = (tree: Tree): void => {
    found.push(tree)
    if (tree.kind === "list") tree.items.forEach(visit)
    if (tree.kind === "object") for (const [, value] of tree.entries) visit(value)
  }
  visit(root)
  return found
}

export const copy = (tree: Tree): Tree => {
  if (tree.kind === "raw") return raw(tree.text)
  if (tree.kind === "list") return { kind: "list", items: tree.items.map(copy) }
  return { kind: "object", entries: tree.entries.map(([key, value]) => [key, copy(value)]) }
}

/** A number without its spelling: `1.50e1`, `15` and `15.0` are the same. */
const numberKey = (text: string): string => {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? []
  const digits = (whole + fraction).replace(/^0+/, "")
  const trimmed = digits.replace(/0+$/, "")
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - trimmed.length)
  return trimmed === "" ? `${sign}0` : `${sign}${trimmed}e${power}`
}

/** What a tree means, as text: of a key that stands twice the last one counts; order of keys says nothing. */
export const meaning = (tree: Tree): string => {
  if (tree.kind === "list") return `[${tree.items.map(meaning).join(",")}]`
  if (tree.kind === "object") {
    const members = new Map(tree.entries.map(([key, value]) => [JSON.stringify(JSON.parse(key)), meaning(value)]))
    return `{${[...members]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key}:${value}`)
      .join(",")}}`
  }
  if (tree.text.startsWith('"')) return JSON.stringify(JSON.parse(tree.text))
  return /^[-\d]/.test(tree.text) ? numberKey(tree.text) : tree.text
}

/** The members of an object by name; of a name that stands twice the last one counts. */
export const members = (tree: Tree): ReadonlyMap<string, Tree> =>
  new Map(tree.kind === "object" ? tree.entries.map(([key, value]) => [JSON.parse(key) as string, value]) : [])
