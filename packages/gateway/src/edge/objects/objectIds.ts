/**
 * Ids in what goes to a provider and comes from it beside answers of models: in paths, queries, payloads and lists. What is sealed
 * is opened on the way in, and what a provider calls its objects is sealed on the way out.
 */
import { type Deployment, isSameAccount } from "@switchyard/core/Deployment"
import { Either } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"
import type { Generation } from "../../generations/Generations.js"
import type { Caller } from "../../keys/KeyRing.js"
import { find } from "../../objects/openedIds.js"
import { ownerOf } from "../../objects/owners.js"
import { isSealed, type Sealer } from "../../objects/SealedIds.js"

/** Objects that have owners: how providers begin their ids, and what follows; `file_search` and `batch_output` are words. */
const id =
  "(?:file|assistant|batch|vs|vsfb|ftjob|ftckpt|resp|conv)[_-](?:sy1_[\\w-]{40,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[A-Za-z]*\\d|[A-Za-z]{20})[A-Za-z0-9]{10,})"
const owned = new RegExp(`^${id}$`)

/** The same in JSON, as a whole value. */
const ownedValue = new RegExp(`(?<=[:,[\\s])"(${id})"(?!\\s*:)`, "g")

const sealedValue = /(?<=[:,[\s])"([A-Za-z][A-Za-z0-9]{0,30}[_-]sy1_[A-Za-z0-9_-]{40,})"(?!\s*:)/g

/** What is opened of one request. */
export class ObjectIds {
  /** What was opened: callers' ids by those of providers. */
  private readonly shown = new Map<string, string>()
  /** Who keeps what the request refers to; undefined while it refers to nothing. */
  target: Deployment | undefined

  constructor(
    private readonly sealer: Sealer,
    private readonly caller: Caller,
    private readonly generation: Pick<Generation, "keys" | "tower">
  ) {}

  /** Ids of a provider's own are for who has the account: the master, and everybody where nobody is told apart. */
  private get knowsAccount(): boolean {
    return this.caller.isMaster || this.generation.keys.isOpen
  }

  /** What an id stands for. */
  open(id: string): Either.Either<string, Refusal> {
    if (!isSealed(id)) return owned.test(id) && !this.knowsAccount ? Either.left(unknownObject(id)) : Either.right(id)
    const found = find(this.sealer, id, this.caller, this.generation)
    if (found === undefined) return Either.left(unknownObject(id))
    if (this.target !== undefined && !isSameAccount(this.target, found.target)) return Either.left(ofSeveral)
    this.target ??= found.target
    this.shown.set(found.id, id)
    return Either.right(found.id)
  }

  /** A path with its ids opened. */
  openPath(path: string): Either.Either<string, Refusal> {
    return Either.map(Either.all(path.split("/").map((part) => this.open(part))), (parts) => parts.join("/"))
  }

  /** A query with its ids opened, and without what steers the gateway. */
  openQuery(query: URLSearchParams, steering: ReadonlyArray<string>): Either.Either<string, Refusal> {
    const left = new URLSearchParams()
    for (const [name, value] of query) {
      if (steering.includes(name)) continue
      const opened = this.open(value)
      if (Either.isLeft(opened)) return Either.left(opened.left)
      left.append(name, opened.right)
    }
    return Either.right(left.toString())
  }

  /** JSON with its ids opened. */
  openText(text: string): Either.Either<string, Refusal> {
    let refusal: Refusal | undefined
    const opened = text.replace(this.knowsAccount ? sealedValue : ownedValue, (whole, id: string) => {
      const one = this.open(id)
      if (Either.isRight(one)) return JSON.stringify(one.right)
      refusal ??= one.left
      return whole
    })
    return refusal === undefined ? Either.right(opened) : Either.left(refusal)
  }

  /** What a provider says amid other words, with the ids that its caller knows. */
  sealWords(text: string): string {
    let words = text
    for (const [id, sealed] of this.shown) words = words.replaceAll(id, sealed)
    return words
  }

  /** JSON with the ids of a deployment's objects sealed. */
  sealText(text: string, deployment: Deployment): string {
    const owner = ownerOf(this.caller)
    return text.replace(ownedValue, (_, id: string) =>
      JSON.stringify(this.shown.get(id) ?? this.sealer.seal({ deployment: deployment.id, id }, owner))
    )
  }
}

const kinds: ReadonlyArray<readonly [RegExp, string]> = [
  [/^file/, "File object"],
  [/^batch/, "batch"],
  [/^vs/, "vector store"],
  [/^ft/, "fine-tuning object"],
  [/^resp/, "response"]
]

/** Nobody here knows the object, or it is somebody else's, which is the same. */
const unknownObject = (id: string): Refusal => {
  const what = kinds.find(([start]) => start.test(id))?.[1] ?? "object"
  return {
    status: 404,
    code: `${what.replace(/\W/g, "_").toLowerCase()}_not_found`,
    param: "id",
    message: `No such ${what}: ${id.slice(0, 200)}`
  }
}

const ofSeveral: Refusal = {
  status: 400,
  code: "ids_of_several_deployments",
  message: "the request refers to what different providers or accounts keep: none of them knows both"
}
