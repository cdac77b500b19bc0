/**
 * What a form says beside its files, as a body of JSON would say it, so that whatever steers a request or must not be sent on is
 * found in it; and the form without what was taken out.
 */
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import { bodyOf, isFile, type Upload, type UploadField, type UploadPart } from "@switchyard/core/Upload"

/** Whether a field is the gateway's to read, in objects too. */
export type IsOwn = (field: string) => boolean

/** `metadata[tags][]`: how clients write objects into forms. */
const nested = /^([^[\]]+)((?:\[[^[\]]*\])+)$/

interface Path {
  readonly root: string
  readonly keys: ReadonlyArray<string>
}

const pathOf = (name: string): Path => {
  const [, root = name, brackets = ""] = nested.exec(name) ?? []
  return { root, keys: brackets === "" ? [] : brackets.slice(1, -1).split("][") }
}

type Tree = Map<string, Tree | ReadonlyArray<string>>

const isList = (keys: ReadonlyArray<string>): boolean => keys.every((key) => /^\d*$/.test(key))

/** A list where all keys are numbers, or left out. */
const valueOf = (node: Tree | ReadonlyArray<string>): unknown => {
  if (!(node instanceof Map)) return node.length === 1 ? node[0] : node
  const values = [...node].map(
    ([key, child]) => [key, key === "" && !(child instanceof Map) ? [...child] : valueOf(child)] as const
  )
  return isList([...node.keys()])
    ? values.flatMap(([key, value]) => (key === "" ? value : [value]))
    : Object.fromEntries(values)
}

const put = (tree: Tree, keys: ReadonlyArray<string>, value: string): void => {
  const [key = "", ...more] = keys
  const known = tree.get(key)
  if (more.length === 0) {
    tree.set(key, known instanceof Map || known === undefined ? [value] : [...known, value])
    return
  }
  const below: Tree = known instanceof Map ? known : new Map()
  tree.set(key, below)
  put(below, more, value)
}

/** Characters of a text that is read as the JSON that it may be; no honest one is as long. */
const mostText = 100_000

/** A text that is an object or a list is read as one: forms have no other way to say it. */
const parsed = (value: unknown): unknown => {
  if (typeof value !== "string" || value.length > mostText || !/^\s*[{[]/.test(value)) return value
  try {
    return JSON.parse(value) as unknown
  } catch {
    return value
  }
}

const isField = (part: UploadPart): part is UploadField => !isFile(part)

/** A form's fields as a body. Values are texts, but for those fields that the gateway reads itself. */
export const bodyOfForm = ({ parts }: Upload, isOwn: IsOwn): JsonObject => {
  const trees = new Map<string, Tree>()
  const plain = parts.filter((part) => {
    if (!isField(part)) return false
    const { keys, root } = pathOf(part.name)
    if (keys.length === 0 || (keys.length === 1 && keys[0] === "") || !isOwn(root)) return true
    const tree = trees.get(root) ?? new Map()
    trees.set(root, tree)
    put(tree, keys, part.value)
    return false
  })
  const body = bodyOf(plain)
  for (const name in body) if (isOwn(name)) body[name] = parsed(body[name])
  for (const [root, tree] of trees) body[root] = valueOf(tree)
  return body
}

/** An object as fields of a form, in brackets. */
const fieldsOf = (name: string, value: unknown): ReadonlyArray<UploadField> => {
  if (Array.isArray(value)) return value.flatMap((item) => fieldsOf(`${name}[]`, item))
  if (isJsonObject(value)) return Object.entries(value).flatMap(([key, item]) => fieldsOf(`${name}[${key}]`, item))
  return [{ name, value: String(value) }]
}

const writtenAnew = (parts: ReadonlyArray<UploadPart>, root: string, value: unknown): ReadonlyArray<UploadField> =>
  parts.some((part) => part.name === root) && typeof value === "object"
    ? [{ name: root, value: JSON.stringify(value) }]
    : fieldsOf(root, value)

/** The request with the form that is left, where `before` is the body of the form as it came and the request's own what it became. */
export const withForm = (request: LlmRequest, { parts }: Upload, before: JsonObject): LlmRequest => {
  const { body } = request
  const isSame = (root: string): boolean => body[root] === before[root]
  const kept = parts.filter((part) => isFile(part) || isSame(pathOf(part.name).root))
  const changed = Object.keys(body).filter((root) => !isSame(root))
  const left = [...changed.flatMap((root) => writtenAnew(parts, root, body[root])), ...kept]
  const model = body.model === undefined ? {} : { model: body.model }
  return { ...request, body: { ...bodyOf(left), ...model }, upload: { parts: left } }
}
