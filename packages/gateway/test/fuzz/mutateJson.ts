import { copy, nodes, parse, print, raw, type Tree } from "./jsonTree.js"
import { pick, type Step } from "./steps.js"

const nested = (depth: number, open: string, close: string, inner: string): string =>
  open.repeat(depth) + inner + close.repeat(depth)

/** Values as they are written. */
export const hostileValues = [
  "null",
  "true",
  "false",
  "0",
  "-0",
  "-1",
  "1",
  "1.0",
  "0.1000",
  "1e2",
  "1E+2",
  "1e-7",
  "1e999",
  "-1e999",
  "1e308",
  "5e-324",
  "1e-999",
  "4294967295",
  "9007199254740993",
  "9223372036854775807",
  "-9223372036854775808",
  "1234567890123456789012345678901234567890",
  `0.${"1".repeat(60)}`,
  "1".repeat(400),
  '""',
  '" "',
  '"x"',
  '"smart"',
  '"user"',
  '"assistant"',
  '"stop"',
  '"0"',
  '"1e999"',
  '"true"',
  '"__proto__"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\ud83d\ude00\u202e\ufeff"',
  '"\\u0000\\u001f\\u2028"',
  '"a\\r\\nx-injected: yes\\r\\n\\r\\n"',
  '"data: [DONE]\\n\\n"',
  '"[DONE]"',
  `"${"x".repeat(5_000)}"`,
  `"${"\\n".repeat(3_000)}"`,
  "[]",
  "{}",
  "[null]",
  "[[]]",
  "[{}]",
  "[1,2,3]",
  '[{"type":"text","text":"part"}]',
  '{"":""}',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"toJSON":"x"}',
  '{"then":1}',
  '{"length":-1}',
  '{"a":1,"a":2}',
  nested(30, "[", "]", "0"),
  nested(98, '{"a":', "}", "1"),
  nested(101, "[", "]", ""),
  nested(499, "[", "]", ""),
  nested(600, '{"a":', "}", "{}"),
  nested(5_000, "[", "]", ""),
  `[${"{},".repeat(3_000)}{}]`,
  `[${"0,".repeat(3_000)}0]`,
  // No JSON at all.
  "NaN",
  "Infinity",
  "01",
  "+1",
  ".5",
  "1.",
  "0x10",
  "'x'",
  "undefined",
  '"\\x"',
  '"\u0001"',
  ""
] as const

/** Names that mean something to somebody. */
const commonKeys = [
  "__proto__",
  "constructor",
  "prototype",
  "toJSON",
  "then",
  "hasOwnProperty",
  "length",
  "",
  " ",
  "\ud800",
  "a.b[0]",
  "model",
  "choices",
  "usage",
  "error",
  "stream",
  "content",
  "index"
] as const

type Keys = readonly [string, ...ReadonlyArray<string>]

const key = (name: string): string => JSON.stringify(name)

const isHolder = (tree: Tree): boolean => tree.kind !== "raw"

const swapped = (text: string): string =>
  text.startsWith('"') ? text.slice(1, -1) || "0" : `"${text.replaceAll('"', "")}"`

/** Where a child stands, to be replaced or taken out. */
interface Place {
  readonly get: () => Tree
  readonly set: (tree: Tree) => void
  readonly drop: () => void
  readonly twice: () => void
}

const placesIn = (root: Tree): ReadonlyArray<Place> =>
  nodes(root).flatMap((parent): ReadonlyArray<Place> => {
    if (parent.kind === "raw") return []
    const list: Array<unknown> = parent.kind === "list" ? parent.items : parent.entries
    return list.map((entry, index) => {
      const get = (): Tree =>
        parent.kind === "list" ? (parent.items[index] ?? raw("null")) : (parent.entries[index]?.[1] ?? raw("null"))
      return {
        get,
        set: (tree) => {
          if (parent.kind === "list") parent.items[index] = tree
          else if (parent.entries[index] !== undefined) parent.entries[index][1] = tree
        },
        drop: () => void list.splice(index, 1),
        twice: () => void list.splice(index + 1, 0, entry)
      }
    })
  })

/** Changes one thing in a tree, in place. `own` are names that mean something where the tree comes from. */
const mutateTree = (root: Tree, { at, kind, size, what }: Step, own: Keys = commonKeys): void => {
  const places = placesIn(root)
  const place = places[at % Math.max(1, places.length)]
  const holders = nodes(root).filter(isHolder)
  const holder = holders[at % Math.max(1, holders.length)]
  const name = key(what % 3 === 0 ? pick(commonKeys, size) : pick(own, size))
  const value = raw(pick(hostileValues, what))
  if (place === undefined || holder === undefined) return
  switch (kind % 11) {
    case 0:
    case 1:
      return place.set(value)
    case 2:
      return place.drop()
    case 3:
      return place.twice()
    case 4:
      if (holder.kind === "object") holder.entries.splice(size % (holder.entries.length + 1), 0, [name, value])
      else if (holder.kind === "list") holder.items.splice(size % (holder.items.length + 1), 0, value)
      return
    case 5: {
      if (holder.kind !== "object" || holder.entries.length === 0) return
      const entry = holder.entries[size % holder.entries.length]
      if (entry !== undefined) entry[0] = name
      return
    }
    case 6: {
      const depth = pick([1, 2, 50, 99, 120, 510, 4_200], size)
      const [open, close] = what % 2 === 0 ? ["[", "]"] : ['{"a":', "}"]
      return place.set(raw(nested(depth, open, close, print(place.get()))))
    }
    case 7:
      return place.set(copy(pick([root, ...nodes(root)], what)))
    case 8: {
      const tree = place.get()
      return place.set(tree.kind === "raw" ? raw(swapped(tree.text)) : raw(key(print(tree))))
    }
    case 9: {
      const tree = place.get()
      if (tree.kind !== "list" || tree.items.length === 0) return place.twice()
      const [first = raw("null")] = tree.items
      for (let count = size % 200; count > 0; count--) tree.items.push(first)
      return
    }
    default:
      return place.set(
        pick(
          [
            { kind: "list", items: [place.get()] },
            { kind: "object", entries: [[name, place.get()]] }
          ],
          what
        )
      )
  }
}

/** Changes one thing in JSON; text that is none stays. */
export const mutateJson = (text: string, step: Step, own?: Keys): string => {
  const tree = parse(text)
  if (tree === undefined) return text
  mutateTree(tree, step, own)
  return print(tree)
}
