import { parse as parseYaml } from "yaml"
import { copy, nodes, parse, print, raw, type Tree } from "./jsonTree.js"
import { mutateBytes } from "./mutateBytes.js"
import { hostileValues } from "./mutateJson.js"
import { pick, type Step } from "./steps.js"

/** Values that mean something to whoever reads a configuration. */
const settings = [
  '"os.environ/PLANT_KEY"',
  '"os.environ/NOWHERE"',
  '"os.environ/"',
  `"\${PLANT_KEY}"`,
  `"\${NOWHERE}"`,
  `"\${NOWHERE:-x}"`,
  `"\${NOWHERE:-\${PLANT_KEY}}"`,
  `"a \${PLANT_KEY} b"`,
  '"${"',
  '"$"',
  '"30 seconds"',
  '"0 seconds"',
  '"-1 second"',
  '"1 fortnight"',
  '"infinity"',
  '"https://x.example/v1"',
  '"https//user:pw@x"',
  '"user:pw@host/v1"',
  '"http://user:pw@x.example"',
  '"ftp://x"',
  '"*"',
  '"smart"',
  '"none"',
  '".inf"',
  "4000",
  "65536",
  "0.5",
  "-0.5"
] as const

const names = [
  "deployments",
  "model_list",
  "apiKey",
  "api_key",
  "id",
  "group",
  "weight",
  "rpm",
  "timeout",
  "include",
  "masterKey",
  "keys",
  "fallback",
  "server",
  "port",
  "__proto__",
  "constructor",
  "toString",
  "",
  "a.b",
  "0"
] as const

const textParts = [
  "&a ",
  "*a",
  "<<: *a\n",
  "<<: [*a, *b]\n",
  "!!int ",
  "!!binary ",
  "!!str ",
  "!foo ",
  "---\n",
  "...\n",
  "%YAML 1.1\n",
  "\t",
  "  ",
  "\n",
  "- ",
  ": ",
  "? ",
  "# ",
  "|\n",
  ">-\n",
  "{",
  "}",
  "[",
  "]",
  ",",
  "'",
  '"',
  "@",
  "`",
  "~",
  "yes",
  ".nan",
  "\u00a0",
  "\u2028",
  "\0"
] as const

/** A change of the settings themselves; `text` of how they are written, `bytes` of anything. */
export interface ConfigStep {
  readonly how: "setting" | "text" | "bytes"
  readonly step: Step
}

/** A mutated file, and where its settings were changed, if that can be told. */
export interface MutatedConfig {
  readonly text: Buffer
  /** Paths in the words of the file, and names that stand there. */
  readonly touched: ReadonlyArray<string>
}

interface Place {
  readonly path: string
  readonly parent: Tree
  readonly index: number
}

const join = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`)

const placesIn = (root: Tree): ReadonlyArray<Place> => {
  const found: Array<Place> = []
  const visit = (tree: Tree, path: string): void => {
    if (tree.kind === "raw") return
    const children: ReadonlyArray<readonly [string, Tree]> =
      tree.kind === "list"
        ? tree.items.map((item, index) => [`${path}[${index}]`, item])
        : tree.entries.map(([key, value]) => [join(path, String(JSON.parse(key))), value])
    children.forEach(([childPath, child], index) => {
      found.push({ path: childPath, parent: tree, index })
      visit(child, childPath)
    })
  }
  visit(root, "")
  return found
}

const misspelt = (key: string): string => {
  const name = String(JSON.parse(key))
  return JSON.stringify(name.length < 3 ? `${name}x` : name.slice(0, 1) + name.slice(2))
}

/** Other settings refer to these, so that what is wrong may be said there. */
const referredTo =
  /(^|[.\]])(id|group|name|model|model_name|credential_name|provider|aliases|include)(\[\d+\])*$|^[^.]*\[\d+\]$/

/** Changes one setting, in place; gives the paths where a fault of it may be told, none for anywhere. */
const mutateSetting = (root: Tree, { at, kind, size, what }: Step): ReadonlyArray<string> => {
  const places = placesIn(root)
  const place = places[at % Math.max(1, places.length)]
  if (place === undefined) return []
  const { index, parent, path } = place
  const value = raw(what % 2 === 0 ? pick(hostileValues, size) : pick(settings, size))
  const touched = referredTo.test(path) ? [] : [path]
  const set = (tree: Tree): ReadonlyArray<string> => {
    if (parent.kind === "list") parent.items[index] = tree
    else if (parent.kind === "object" && parent.entries[index] !== undefined) parent.entries[index][1] = tree
    return touched
  }
  const get = (): Tree =>
    (parent.kind === "list"
      ? parent.items[index]
      : parent.kind === "object"
        ? parent.entries[index]?.[1]
        : undefined) ?? raw("null")
  switch (kind % 8) {
    case 0:
    case 1:
      return set(value)
    case 2: {
      if (parent.kind === "list") parent.items.splice(index, 1)
      else if (parent.kind === "object") parent.entries.splice(index, 1)
      return []
    }
    case 3: {
      const name = pick(names, size)
      if (parent.kind === "list") parent.items.splice(index, 0, get())
      else if (parent.kind === "object") parent.entries.splice(index, 0, [JSON.stringify(name), get()])
      return touched.length === 0 || parent.kind === "list" ? [] : [path, name]
    }
    case 4: {
      const entry = parent.kind === "object" ? parent.entries[index] : undefined
      if (entry === undefined || touched.length === 0) return []
      entry[0] = misspelt(entry[0])
      return [path, String(JSON.parse(entry[0]))]
    }
    case 5:
      return set({ kind: "list", items: [get()] })
    case 6:
      return set({ kind: "object", entries: [[JSON.stringify(pick(names, size)), get()]] })
    default: {
      const tree = get()
      if (tree.kind !== "raw") return set(copy(nodes(root)[size % nodes(root).length] ?? raw("null")))
      return set(raw(tree.text.startsWith('"') ? tree.text.slice(1, -1) || "0" : `"${tree.text}"`))
    }
  }
}

const mutateText = (text: string, { at, kind, size, what }: Step): string => {
  const lines = text.split("\n")
  const index = at % lines.length
  const line = lines[index] ?? ""
  switch (kind % 6) {
    case 0:
      lines.splice(index, 0, line)
      return lines.join("\n")
    case 1:
      lines.splice(index, 1)
      return lines.join("\n")
    case 2:
      lines[index] = `${" ".repeat(size % 5)}${line.trimStart()}`
      return lines.join("\n")
    case 3:
      lines[index] = line.replace(/: */, `: ${pick(textParts, what)}`)
      return lines.join("\n")
    case 4:
      lines[index] = line.replace(/^( *(?:- )?)/, `$1${pick(textParts, what)}`)
      return lines.join("\n")
    default: {
      const place = size % (text.length + 1)
      return text.slice(0, place) + pick(textParts, what) + text.slice(place)
    }
  }
}

const treeOf = (text: string): Tree | undefined => {
  try {
    return parse(JSON.stringify(parseYaml(text, { merge: true, logLevel: "silent" })))
  } catch {
    return undefined
  }
}

/** A file after some mutations: of settings first, then of text, then of bytes. */
export const mutateConfig = (file: Buffer, steps: ReadonlyArray<ConfigStep>): MutatedConfig => {
  let text = file.toString("utf8")
  const touched: Array<string> = []
  const inSettings = steps.filter(({ how }) => how === "setting")
  if (inSettings.length > 0) {
    const tree = treeOf(text)
    if (tree !== undefined) {
      for (const { step } of inSettings) touched.push(...mutateSetting(tree, step))
      text = `${print(tree)}\n`
    }
  }
  for (const { how, step } of steps) if (how === "text") text = mutateText(text, step)
  let bytes: Buffer = Buffer.from(text)
  for (const { how, step } of steps) if (how === "bytes") bytes = mutateBytes(bytes, step)
  return { text: bytes, touched: steps.length === 1 ? touched : [] }
}
