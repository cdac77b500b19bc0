/**
 * Which budgets cannot bind: those of deployments whose price nobody knows, so that calls there would count as free. And
 * which deployments give half a price where the other half is known nowhere.
 */
import { type ConfigIssue, issue } from "@switchyard/core/ConfigError"
import type { Deployment } from "@switchyard/core/Deployment"
import { Either } from "effect"
import { decode, type RegistryConfig } from "../registry/DeploymentRegistry.js"
import * as PriceBook from "./PriceBook.js"

/** What is worth knowing about a price, at its place in the options. */
export interface Finding {
  readonly path: string
  /** A whole clause. */
  readonly message: string
  /** The price hangs on the model that a request names, and so nobody can tell before. */
  readonly isOpen: boolean
}

/** What money bounds, each by its name. */
export interface SpendLimitsSettings {
  readonly total?: object | undefined
  readonly deployments?: object | undefined
  readonly providers?: object | undefined
  readonly tags?: object | undefined
  readonly requestTags?: object | undefined
}

/** What money bounds of callers. */
export interface CallerBudgetSettings {
  readonly callers?: object | undefined
  readonly everyCaller?: object | undefined
}

/** The options that budgets and prices stand in. */
export interface Settings extends RegistryConfig {
  readonly prices?: Readonly<Record<string, PriceBook.Price>> | undefined
  readonly unknownPrice?: PriceBook.UnknownPrice | undefined
  readonly spendLimits?: false | SpendLimitsSettings | undefined
  readonly callerBudget?: false | CallerBudgetSettings | undefined
}

/** A budget that the options do not hold themselves, for example that of a key. */
export interface OtherBudget {
  readonly path: string
  /** Whether calls on a deployment are charged to it. */
  readonly covers: (deployment: Deployment) => boolean
}

const shownAtMost = 3

const namesOf = (deployments: ReadonlyArray<Deployment>): string => {
  const shown = deployments.slice(0, shownAtMost).map(({ id, model }) => `${model} (deployment ${id})`)
  const more = deployments.length - shown.length
  return more === 0 ? shown.join(", ") : `${shown.join(", ")} and ${more} more`
}

const isWildcard = ({ model }: Deployment): boolean => model.includes("*")

const remedy = "set its inputPrice and outputPrice, or unknownPrice"

const finding = (path: string, covered: ReadonlyArray<Deployment>, unpriced: ReadonlySet<Deployment>) => {
  const without = covered.filter((deployment) => unpriced.has(deployment))
  const fixed = without.filter((deployment) => !isWildcard(deployment))
  const where = without.length < covered.length ? " for all that it covers" : ""
  if (fixed.length > 0) {
    const message = `this budget cannot bind${where}: no price for ${namesOf(fixed)}; ${remedy}`
    return [{ path, message, isOpen: false }]
  }
  if (without.length === 0) return []
  const message = `this budget cannot bind for models whose price is unknown, and ${namesOf(without)} stands for any; ${remedy}`
  return [{ path, message, isOpen: true }]
}

const every = (): boolean => true

const budgetsOf = (settings: Settings): ReadonlyArray<OtherBudget> => {
  const callerBudget = settings.callerBudget === false ? undefined : settings.callerBudget
  const spendLimits = settings.spendLimits === false ? undefined : settings.spendLimits
  const list = (path: string, given: object | undefined, covers: (name: string) => OtherBudget["covers"]) =>
    Object.keys(given ?? {}).map((name) => ({ path: `${path}.${name}`, covers: covers(name) }))
  return [
    ...(spendLimits?.total === undefined ? [] : [{ path: "spendLimits.total", covers: every }]),
    ...list(
      "spendLimits.deployments",
      spendLimits?.deployments,
      (name) =>
        ({ id }) =>
          id === name
    ),
    ...list(
      "spendLimits.providers",
      spendLimits?.providers,
      (name) =>
        ({ provider }) =>
          provider === name
    ),
    ...list(
      "spendLimits.tags",
      spendLimits?.tags,
      (name) =>
        ({ tags }) =>
          tags.includes(name)
    ),
    ...list("spendLimits.requestTags", spendLimits?.requestTags, () => every),
    ...list("callerBudget.callers", callerBudget?.callers, () => every),
    ...(callerBudget?.everyCaller === undefined ? [] : [{ path: "callerBudget.everyCaller", covers: every }])
  ]
}

const halves = (deployments: ReadonlyArray<Deployment>, unpriced: ReadonlySet<Deployment>): ReadonlyArray<Finding> =>
  deployments.flatMap((deployment, index) => {
    const { cachedInputPrice, inputPrice, model, outputPrice } = deployment
    const given =
      inputPrice !== undefined
        ? "inputPrice"
        : outputPrice !== undefined
          ? "outputPrice"
          : cachedInputPrice !== undefined
            ? "cachedInputPrice"
            : undefined
    if (given === undefined || !unpriced.has(deployment) || isWildcard(deployment)) return []
    const missing = given === "inputPrice" ? "outputPrice" : given === "outputPrice" ? "inputPrice" : "the other prices"
    const path = `deployments[${index}].${given}`
    return [
      {
        path,
        message: `half a price counts as none: ${missing} is not set, and no public price of ${model} is known`,
        isOpen: false
      }
    ]
  })

/**
 * Everything worth knowing about prices in options that are otherwise in order; empty where `unknownPrice` assumes one.
 * `others` are budgets that stand elsewhere.
 */
export const find = (settings: Settings, others: ReadonlyArray<OtherBudget> = []): ReadonlyArray<Finding> => {
  const decoded = typeof settings.unknownPrice === "object" ? undefined : decode(settings)
  if (decoded === undefined || Either.isLeft(decoded)) return []
  const deployments = decoded.right
  const book = PriceBook.make(settings.prices)
  const unpriced = new Set(deployments.filter((deployment) => book.price(deployment) === undefined))
  if (unpriced.size === 0) return []
  return [
    ...halves(deployments, unpriced),
    ...[...budgetsOf(settings), ...others].flatMap(({ covers, path }) =>
      finding(path, deployments.filter(covers), unpriced)
    )
  ]
}

/** What `unknownPrice: "refuse"` refuses: every finding that no request has to decide. */
export const refused = (settings: Settings, others: ReadonlyArray<OtherBudget> = []): ReadonlyArray<ConfigIssue> =>
  settings.unknownPrice === "refuse"
    ? find(settings, others).flatMap(({ isOpen, message, path }) =>
        isOpen ? [] : [issue(path, undefined, `a price that is known: ${message}`)]
      )
    : []
