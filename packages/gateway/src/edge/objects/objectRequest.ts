/**
 * What is asked of a provider about an object, worked out of what a caller asks: where it goes, as what, and what of it is sealed.
 */
import type { IncomingHttpHeaders } from "node:http"
import { stringify } from "@switchyard/core/ExactJson"
import type { Passage } from "@switchyard/core/Passage"
import { isFile, type Upload, type UploadFile } from "@switchyard/core/Upload"
import { Either } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"
import type { Generation } from "../../generations/Generations.js"
import type { Caller } from "../../keys/KeyRing.js"
import type { Sealer } from "../../objects/SealedIds.js"
import type { ObjectPath } from "../callPaths.js"
import type { Received } from "../calls/bodyReader.js"
import { queryOf } from "../requestPath.js"
import type { ReceivedForm } from "../uploads/uploadReader.js"
import { choose, type Place, type Wish } from "./choosing.js"
import { ObjectIds } from "./objectIds.js"
import { isLetThrough } from "./objectPaths.js"
import { passedOn, passedWithFiles } from "./passedHeaders.js"
import { noList, unknownPath, wrongMethod } from "./refusals.js"

/** A request as it came. */
export interface ObjectCall {
  readonly path: ObjectPath
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly received: Received | ReceivedForm
  readonly caller: Caller
  readonly generation: Generation
  readonly sealer: Sealer
}

/** What goes to a provider. */
export interface Asking {
  readonly passage: Passage
  readonly upload: Upload | undefined
  /** Where it may go, the best first. */
  readonly places: readonly [Place, ...ReadonlyArray<Place>]
  readonly ids: ObjectIds
  /** Whether another place may be asked when one fails. */
  readonly repeats: boolean
  /** What the request is about, for people. */
  readonly what: string
}

/** Fields, and names in a query, by which a caller says where a request goes. */
const steering = ["model", "target_model_names", "custom_llm_provider", "provider"]
/** Names in a query that are for the gateway alone. */
const ours = [...steering, "key", "api-version"]

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

/** Where the request is wanted, as its body, query or headers say. */
const wishOf = (
  fields: Readonly<Record<string, unknown>>,
  query: URLSearchParams,
  headers: IncomingHttpHeaders
): Either.Either<Wish, Refusal> => {
  const from = (name: string): string | undefined => textOf(fields[name]) ?? textOf(query.get(name))
  const names =
    from("target_model_names")
      ?.split(",")
      .flatMap((name) => (name.trim() === "" ? [] : [name.trim()])) ?? []
  if (names.length > 1) {
    return Either.left({
      status: 400,
      code: "invalid_request",
      param: "target_model_names",
      message: "target_model_names: expected one name; an object is kept by one provider"
    })
  }
  const model = from("model") ?? names[0] ?? textOf(headers["x-switchyard-model"]) ?? textOf(headers["x-litellm-model"])
  const provider = from("custom_llm_provider") ?? textOf(headers["custom-llm-provider"])
  return Either.right({ model, provider })
}

const fieldsOf = ({ parts }: Upload): Readonly<Record<string, string>> =>
  Object.fromEntries(parts.flatMap((part) => (isFile(part) ? [] : [[part.name, part.value]])))

const withoutSteering = ({ parts }: Upload): Upload => ({
  parts: parts.filter((part) => isFile(part) || !steering.includes(part.name))
})

/** The body's bytes, and its fields where it is an object of JSON. */
const bodyOf = (received: Received): { readonly text: string; readonly fields: Readonly<Record<string, unknown>> } => {
  if (!Buffer.isBuffer(received)) {
    const { exact, json } = received
    const written = exact === undefined ? JSON.stringify(json) : stringify(json, exact)
    return { text: typeof written === "string" ? written : Buffer.from(written).toString(), fields: json }
  }
  const text = received.toString()
  if (text.trim() === "") return { text: "", fields: {} }
  try {
    const value: unknown = JSON.parse(text)
    return { text, fields: typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {} }
  } catch {
    return { text, fields: {} }
  }
}

const methodsOf = ({ id, kind, part }: ObjectPath): ReadonlyArray<string> => {
  if (kind === "files") return id === undefined ? ["GET", "POST"] : part === undefined ? ["GET", "DELETE"] : ["GET"]
  return id === undefined ? ["GET", "POST"] : part === "cancel" ? ["POST"] : ["GET"]
}

const notPermitted: Refusal = {
  status: 403,
  code: "pass_through_not_allowed",
  message: "this key may not use what is passed through to providers"
}

const needsForm: Refusal = {
  status: 400,
  code: "invalid_form",
  message: "a file is uploaded as a form with parts (multipart/form-data) that has a file and a purpose"
}

const isListing = ({ id, kind }: ObjectPath, method: string, below: string): boolean =>
  method === "GET" &&
  (kind === "passThrough" ? /^\/(?:vector_stores|fine_tuning\/jobs)$/.test(below) : id === undefined)

/** The file of a form; undefined where there is not exactly one. */
export const fileIn = ({ parts }: Upload): UploadFile | undefined => {
  const files = parts.filter(isFile)
  return files.length === 1 ? files[0] : undefined
}

/** The account that keeps an object, by any of its deployments that the caller may ask. */
const kept = (ids: ObjectIds): ReadonlyArray<Place> =>
  ids.target === undefined ? [] : [{ model: ids.target.group, deployment: ids.target }]

/** Works out where a request goes and what it says there. */
export const askingOf = (call: ObjectCall): Either.Either<Asking, Refusal> => {
  const { caller, generation, headers, method, path, received, sealer, url } = call
  const { below, kind } = path
  const isPassed = kind === "passThrough"
  if (!isPassed && path.id === undefined && below !== `/${kind}`) return Either.left(unknownPath(method, below))
  if (!isPassed && !methodsOf(path).includes(method)) return Either.left(wrongMethod(method, below))
  if (isPassed && caller.mayPassThrough !== true) return Either.left(notPermitted)
  if (isListing(path, method, below) && generation.keys.isShared) {
    return Either.left(noList(isPassed ? below.slice(1) : kind))
  }
  const ids = new ObjectIds(sealer, caller, generation)
  const query = queryOf(url)
  const form = "form" in received ? withoutSteering(received.form) : undefined
  const body = "form" in received ? { text: "", fields: fieldsOf(received.form) } : bodyOf(received)
  if (kind === "files" && method === "POST" && (form === undefined || fileIn(form) === undefined)) {
    return Either.left(needsForm)
  }
  return Either.gen(function* () {
    const openedPath = yield* ids.openPath(below)
    const openedQuery = yield* ids.openQuery(query, ours)
    const steered = steering.some((name) => name in body.fields)
    // A batch names its models line by line.
    const isSteeredInJson = kind === "batches" && steered && form === undefined
    const sent = isSteeredInJson
      ? JSON.stringify(Object.fromEntries(Object.entries(body.fields).filter(([name]) => !steering.includes(name))))
      : body.text
    const text = yield* ids.openText(sent)
    const wish = yield* wishOf(body.fields, query, headers)
    const what = isPassed ? `${method} ${below.split("/")[1] ?? ""}` : kind
    const qualifies = isPassed
      ? (deployment: Place["deployment"]) => isLetThrough(deployment.passThrough, method, below)
      : undefined
    const found =
      ids.target === undefined
        ? yield* choose(generation, caller, { ...wish, isOpen: body.fields.purpose === "batch" }, what, qualifies)
        : kept(ids)
    const [first, ...others] = found
    if (first === undefined) return yield* Either.left(unknownPath(method, below))
    if (qualifies?.(first.deployment) === false) return yield* Either.left(unknownPath(method, below))
    const passage: Passage = {
      method: method as Passage["method"],
      path: openedPath,
      query: openedQuery,
      headers: isPassed ? passedOn(headers) : { ...passedWithFiles(headers), "content-type": "application/json" },
      body: form === undefined && text !== "" ? text : undefined
    }
    return {
      passage,
      upload: form,
      places: [first, ...others],
      ids,
      repeats: kind === "files" || method === "GET",
      what: kind === "files" ? "file id" : kind === "batches" ? "batch id" : "object"
    }
  })
}
