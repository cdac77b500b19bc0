/**
 * Batches: their files are read line by line before they are sent, with all rights that requests have to have, and what they cost is
 * set aside and settled.
 */
import type { Deployment } from "@switchyard/core/Deployment"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import type { Passage } from "@switchyard/core/Passage"
import { nowMs } from "@switchyard/core/Time"
import { isFile, type Upload, type UploadFile } from "@switchyard/core/Upload"
import * as Wildcard from "@switchyard/core/Wildcard"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { type Clock, Context, Effect } from "effect"
import type { Refusal } from "../../errors/ErrorBody.js"
import type { Generation } from "../../generations/Generations.js"
import type { Caller } from "../../keys/KeyRing.js"
import type { ObjectPath } from "../callPaths.js"
import { BadLine, checked, type LineTokens, linesOf, type Renamed } from "./batchLines.js"
import type { BatchMoney } from "./batchMoney.js"
import { contentPath, got, settled } from "./batchSettling.js"
import { iterated } from "./bytes.js"
import { choose, type Place } from "./choosing.js"
import { type Asking, fileIn } from "./objectRequest.js"

/** What a request about batches works with. */
export interface BatchDeps {
  readonly generation: Generation
  readonly caller: Caller
  readonly money: BatchMoney
  readonly clock: Clock.Clock
  readonly ask: (
    place: Place,
    passage: Passage,
    use: (answer: LlmResponse) => Effect.Effect<void, LlmError>
  ) => Effect.Effect<void, LlmError>
}

/** A request that may go on. */
export interface Prepared {
  readonly asking: Asking
  /** The same for another place than the first; undefined where that one cannot take it. Left out: it is the same everywhere. */
  readonly at?: (place: Place) => Effect.Effect<Asking | undefined, LlmError>
  /** Told of the object that came of it. */
  readonly made: (object: JsonObject) => void
  /** It is over; `isCut`: its caller has left, and nobody knows what came of it. */
  readonly ended: (isCut: boolean) => void
}

const plainly = (asking: Asking): Prepared => ({ asking, made: () => {}, ended: () => {} })

const lineRefusal = (error: BadLine): Refusal => ({
  status: 400,
  code: "invalid_batch_line",
  param: "file",
  message: `the batch's file is refused, ${error.message}`
})

const emptyFile: Refusal = {
  status: 400,
  code: "invalid_batch_line",
  param: "file",
  message: "the batch's file has no lines"
}

const isUnreadable = (value: unknown): value is BadLine => value instanceof BadLine

/** Reads something line by line; gives the line that refuses it. */
const reading = <A>(read: () => Promise<A>): Effect.Effect<A | BadLine, LlmError> =>
  Effect.flatMap(
    Effect.promise(() => read().catch((error: unknown) => ({ error }) as { readonly error: unknown })),
    (found): Effect.Effect<A | BadLine, LlmError> => {
      if (typeof found !== "object" || found === null || !("error" in found)) return Effect.succeed(found as A)
      const { error } = found
      if (isUnreadable(error)) return Effect.succeed(error)
      return error instanceof LlmError
        ? Effect.fail(error)
        : Effect.fail(new LlmError({ reason: "Unavailable", description: "the file could not be read" }))
    }
  )

/** How long a batch's file is with other names of its models; the line that refuses it, where one does. */
const measured = (file: UploadFile, renamed: Renamed, tokens: LineTokens) =>
  reading(async () => {
    let size = 0
    let count = 0
    for await (const [line, text] of linesOf(file.open())) {
      size += Buffer.byteLength(checked(line, text, renamed, tokens)) + 1
      count++
    }
    return { size, count }
  })

/** A batch's file with other names of its models, written while it is sent. */
const renamedFile = (file: UploadFile, size: number, renamed: Renamed): UploadFile => ({
  ...file,
  size,
  open: async function* () {
    const ignored: LineTokens = { input: 0, output: 0 }
    for await (const [line, text] of linesOf(file.open())) {
      yield Buffer.from(`${checked(line, text, renamed, ignored)}\n`)
    }
  }
})

const parsed = (text: string): JsonObject => {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : {}
  } catch {
    return {}
  }
}

/** The batches of one request. */
export class Batches {
  constructor(private readonly deps: BatchDeps) {}

  /** What has to be right before a request goes on. */
  prepare(path: ObjectPath, method: string, asking: Asking): Effect.Effect<Prepared | Refusal, LlmError> {
    if (method !== "POST" || path.id !== undefined) return Effect.succeed(plainly(asking))
    if (path.kind === "batches") return this.creation(asking)
    const purpose = asking.upload?.parts.find((part) => !isFile(part) && part.name === "purpose")
    const file = asking.upload === undefined ? undefined : fileIn(asking.upload)
    return path.kind === "files" &&
      file !== undefined &&
      purpose !== undefined &&
      "value" in purpose &&
      purpose.value === "batch"
      ? this.upload(asking, asking.upload as Upload, file)
      : Effect.succeed(plainly(asking))
  }

  /** What is learnt from an answer. */
  answered({ made }: Prepared, text: string, status: number, place: Place): Effect.Effect<void, LlmError> {
    if (status >= 300) return Effect.void
    const object = parsed(text)
    made(object)
    const { ask, clock, money } = this.deps
    return settled(object, { ask: (passage, use) => ask(place, passage, use), clock, money })
  }

  /** A file's lines as they go on; the first one's model says where. */
  private upload(asking: Asking, upload: Upload, file: UploadFile): Effect.Effect<Prepared | Refusal, LlmError> {
    let places: ReadonlyArray<Place> = []
    let refusal: Refusal | undefined
    const choosing: Renamed = (model) => {
      if (places.length === 0) {
        const found = choose(this.deps.generation, this.deps.caller, { model, provider: undefined }, "batches")
        if (found._tag === "Left") {
          refusal = found.left
          return { refused: found.left.message }
        }
        const given = found.right.filter(({ deployment }) =>
          asking.places.some((one) => one.deployment.id === deployment.id)
        )
        places = given.length === 0 ? found.right : given
      }
      return this.nameAt(places[0] as Place, model)
    }
    const tokens: LineTokens = { input: 0, output: 0 }
    return Effect.map(measured(file, choosing, tokens), (found): Prepared | Refusal => {
      if (isUnreadable(found)) return refusal !== undefined && found.line > 1 ? refusal : lineRefusal(found)
      const [first, ...others] = places
      if (found.count === 0 || first === undefined) return emptyFile
      const at = (place: Place, size: number): Asking => {
        const written = renamedFile(file, size, (model) => this.nameAt(place, model))
        const parts = upload.parts.map((part) => (part === file ? written : part))
        return { ...asking, upload: { parts }, places: [first, ...others] }
      }
      return {
        asking: at(first, found.size),
        // Each place has names of its own for the models of the lines.
        at: (place) =>
          Effect.map(
            measured(file, (model) => this.nameAt(place, model), { input: 0, output: 0 }),
            (there) => (isUnreadable(there) ? undefined : at(place, there.size))
          ),
        made: ({ id }) => {
          if (typeof id === "string") this.deps.money.noteFile(id, tokens)
        },
        ended: () => {}
      }
    })
  }

  /** The provider's name of a model that a line asks for, where all of a batch goes. */
  private nameAt({ deployment, model: first }: Place, asked: string): ReturnType<Renamed> {
    const { caller, generation } = this.deps
    const model = caller.meant?.(asked) ?? asked
    if (!caller.mayUse(model))
      return { refused: `this key may not use the model ${JSON.stringify(model.slice(0, 100))}` }
    const registry = Context.get(generation.tower.state, DeploymentRegistry)
    const resolved = registry.resolve(model)
    const known = registry.resolve(first)
    if (resolved === undefined) return { refused: `no model is called ${JSON.stringify(model.slice(0, 100))}` }
    const isThere = resolved.group.tiers.flat().some(({ id }) => id === deployment.id)
    const name = Wildcard.substitute(deployment.model, resolved.captures)
    if (!isThere || name !== Wildcard.substitute(deployment.model, known?.captures ?? [])) {
      return {
        refused: `all lines of a batch are for one model, and the first is for ${JSON.stringify(first.slice(0, 100))}`
      }
    }
    return { model: name }
  }

  /** A batch's file was checked when it came; one that came otherwise is read again. */
  private creation(asking: Asking): Effect.Effect<Prepared | Refusal, LlmError> {
    const { caller, clock, generation, money } = this.deps
    const [place] = asking.places
    const { deployment } = place
    const input = parsed(typeof asking.passage.body === "string" ? asking.passage.body : "").input_file_id
    if (typeof input !== "string" || input === "") {
      return Effect.succeed({
        status: 400,
        code: "invalid_request",
        param: "input_file_id",
        message: "input_file_id: expected the id of a file"
      })
    }
    const known = money.tokensOf(input)
    const tokens: LineTokens = known ?? { input: 0, output: 0 }
    const renamed: Renamed = (model) => this.ownName(deployment, model)
    const check = async (source: AsyncIterable<Uint8Array>): Promise<void> => {
      for await (const [line, text] of linesOf(source)) checked(line, text, renamed, tokens)
    }
    const reviewed = known === undefined ? this.read(place, input, check) : Effect.succeed(undefined)
    const ready = Effect.suspend(() => money.ready(generation, caller, deployment, tokens, nowMs(clock)))
    const looked = Effect.tap(reviewed, (bad) => (bad === undefined ? ready : Effect.void))
    return Effect.map(looked, (bad): Prepared | Refusal => {
      if (bad !== undefined) return bad
      const reserved = money.reserve(generation, caller, deployment, tokens, nowMs(clock))
      if ("refusal" in reserved) return reserved.refusal
      let isMade = false
      return {
        asking,
        made: ({ id }) => {
          if (typeof id !== "string") return
          isMade = true
          reserved.keep(id)
        },
        ended: (isCut) => {
          if (!isMade) reserved.release(isCut)
        }
      }
    })
  }

  /** Whether a line of a file that is there already names what its deployment is asked for. */
  private ownName(deployment: Deployment, model: string): ReturnType<Renamed> {
    const captures = Wildcard.capture(Wildcard.make(deployment.model), model)
    if (captures === undefined)
      return { refused: `the file's provider is asked for ${JSON.stringify(deployment.model)} alone` }
    const asked = Wildcard.substitute(deployment.group, captures)
    return this.deps.caller.mayUse(asked)
      ? { model }
      : { refused: `this key may not use the model ${JSON.stringify(asked.slice(0, 100))}` }
  }

  /** Reads a file of the provider; gives why it is refused. */
  private read(
    place: Place,
    id: string,
    take: (source: AsyncIterable<Uint8Array>) => Promise<void>
  ): Effect.Effect<Refusal | undefined, LlmError> {
    let refusal: Refusal | undefined
    const use = (answer: LlmResponse): Effect.Effect<void, LlmError> => {
      if (answer._tag === "Complete") return Effect.void
      if (answer.status >= 300) {
        refusal = {
          status: 400,
          code: "invalid_file",
          param: "input_file_id",
          message: "the file of the batch cannot be read"
        }
        return Effect.void
      }
      return Effect.map(
        reading(() => take(iterated(answer.events))),
        (bad) => {
          if (isUnreadable(bad)) refusal = lineRefusal(bad)
        }
      )
    }
    return Effect.map(this.deps.ask(place, got(contentPath(id)), use), () => refusal)
  }
}
