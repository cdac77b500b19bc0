/**
 * The parameters of a request as the model that it goes to wants them: renamed, and without what it would refuse, where that
 * is asked for. What is known about a model is worked out once.
 */

import type { Deployment } from "../deployment/Deployment.js"
import { isJsonObject } from "../json/Json.js"
import { type LlmRequest, wordsOf } from "../request/LlmRequest.js"
import * as ModelFamily from "../request/ModelFamily.js"
import type { Attempt } from "./Attempt.js"

type Body = Record<string, unknown>

/** A step into a body: a field, an item of a list by its index, or each of them. */
type Step = string | number

/** What says what is asked, and how it is answered, is never left out. */
const isKept = (request: LlmRequest, name: string): boolean =>
  name === "model" || name === "stream" || wordsOf(request).promptFields.includes(name)

/** `tools[*].function.strict`, `a\.b.c`, as steps. */
const stepsOf = (path: string): ReadonlyArray<Step> =>
  (path.match(/\[(?:\*|\d+)\]|(?:\\.|[^.[\\])+/g) ?? []).map((part) => {
    if (part === "[*]") return "*"
    return part.startsWith("[") ? Number(part.slice(1, -1)) : part.replace(/\\(.)/g, "$1")
  })

/** A value without what a path leads to; the same value where it leads nowhere. */
const without = (value: unknown, [step, ...rest]: ReadonlyArray<Step>): unknown => {
  if (step === undefined) return value
  if (Array.isArray(value)) {
    if (step !== "*" && typeof step !== "number") return value
    const isMeant = (index: number) => step === "*" || step === index
    return rest.length === 0
      ? value.filter((_, index) => !isMeant(index))
      : value.map((item, index) => (isMeant(index) ? without(item, rest) : item))
  }
  if (!isJsonObject(value) || !Object.hasOwn(value, step)) return value
  const copy: Body = { ...value }
  if (rest.length === 0) delete copy[step]
  else copy[step] = without(value[step], rest)
  return copy
}

/** A payload without what paths such as `tools[*].function.strict` lead to. */
export const withoutPaths = (body: Body, paths: ReadonlyArray<string>): Body =>
  paths.reduce((left, path) => without(left, stepsOf(path)) as Body, body)

const rename = (body: Body, family: ModelFamily.ModelFamily): void => {
  for (const { from, to, value } of family.renames) {
    if (!Object.hasOwn(body, from)) continue
    const given = body[from]
    delete body[from]
    // Under its right name the caller's own word stands.
    if (given !== null && given !== undefined && (body[to] === null || body[to] === undefined)) {
      body[to] = value === undefined ? given : value(given)
    }
  }
}

/** Names that are told of, for each model. */
const maxTold = 100

/** What is done to the parameters of one model's requests. */
export class Parameters {
  private readonly family: ModelFamily.ModelFamily
  private readonly paths: ReadonlyArray<string>
  /** Nothing is to be done unless a request asks for it. */
  private readonly isIdle: boolean
  private readonly told = new Set<string>()
  private untold: Array<string> = []

  constructor(
    private readonly deployment: Deployment,
    model: string
  ) {
    this.family = ModelFamily.of({ ...deployment, model })
    this.paths = deployment.additionalDropParams
    this.isIdle = this.family.renames.length === 0 && !deployment.dropParams && this.paths.length === 0
  }

  /** The deployment's defaults below the caller's own fields, in the model's words. */
  bodyOf(request: LlmRequest): Body {
    const { additionalDropParams, dropParams } = request.overrides
    const body: Body = wordsOf(request).overlay(this.deployment.defaults, request.body)
    if (this.isIdle && dropParams !== true && additionalDropParams === undefined) return body
    this.dropNamed(request, body, additionalDropParams)
    // What is known of the families is in OpenAI's words.
    if (request.operation !== "chat" || request.dialect !== undefined) return body
    if (dropParams ?? this.deployment.dropParams) this.dropRefused(body)
    if (this.family.renames.length === 0) return body
    rename(body, this.family)
    // Whoever names a parameter may mean either of its names.
    this.dropNamed(request, body, additionalDropParams)
    return body
  }

  /** What was left out for the first time since the last call. */
  news(): ReadonlyArray<string> {
    const { untold } = this
    if (untold.length > 0) this.untold = []
    return untold
  }

  private dropNamed(request: LlmRequest, body: Body, more: ReadonlyArray<string> | undefined): void {
    for (const path of this.paths) this.drop(request, body, path)
    if (more !== undefined) for (const path of more) this.drop(request, body, path)
  }

  private dropRefused(body: Body): void {
    const refused = Object.keys(body).filter((name) => ModelFamily.refuses(this.family, body, name))
    for (const name of refused) {
      if (body[name] !== null && body[name] !== undefined) this.tell(name)
      delete body[name]
    }
  }

  private drop(request: LlmRequest, body: Body, path: string): void {
    const [first, ...rest] = stepsOf(path)
    if (typeof first !== "string" || !Object.hasOwn(body, first)) return
    if (rest.length > 0) body[first] = without(body[first], rest)
    else if (isKept(request, first)) return
    else delete body[first]
    this.tell(path)
  }

  private tell(name: string): void {
    if (this.told.has(name) || this.told.size >= maxTold) return
    this.told.add(name)
    this.untold.push(name)
  }
}

/** Models of one wildcard deployment that are remembered. */
const maxModels = 256

interface Known {
  readonly own: Parameters
  /** A wildcard's models, by name. */
  readonly others: Map<string, Parameters>
}

/** What is known about the models of all deployments. */
export class ParameterBook {
  private readonly known = new WeakMap<Deployment, Known>()

  of({ model, target }: Pick<Attempt, "model" | "target">): Parameters {
    let known = this.known.get(target)
    if (known === undefined) {
      known = { own: new Parameters(target, target.model), others: new Map() }
      this.known.set(target, known)
    }
    if (model === target.model) return known.own
    let other = known.others.get(model)
    if (other === undefined) {
      if (known.others.size >= maxModels) known.others.clear()
      other = new Parameters(target, model)
      known.others.set(model, other)
    }
    return other
  }
}
