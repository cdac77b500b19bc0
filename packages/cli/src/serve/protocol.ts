/**
 * What a primary and its workers say to each other: the process that was started, and those that it has started to serve in
 * its place.
 */
import { randomBytes } from "node:crypto"
import type { Contents } from "@switchyard/gateway/ConfigFile"

/** What a worker is told when it begins. */
export interface Beginning {
  /** Its place, 0 for the first; who comes in its stead has it too. */
  readonly index: number
  /** The one that all listen on. */
  readonly port: number
  /** What ids are sealed with where the configuration does not say: one for all. */
  readonly idSecret: string
  /** What the file says and all that it includes; undefined where there is none. */
  readonly contents: Contents | undefined
  /** Whether state is shared over the primary. */
  readonly sharesState: boolean
  /** Of the primary's stderr. */
  readonly isTerminal: boolean
  readonly hasColours: boolean
}

/** What a worker says once it listens. */
export interface Ready {
  readonly url: string
  readonly isOpen: boolean
}

/** What a worker says that is well. */
export interface Well {
  /** A debugger may halt it. */
  readonly isDebugged: boolean
}

/** Questions of a worker to its primary. */
export const asks = {
  /** How to begin: a {@link Beginning}. */
  begin: "worker.begin",
  /** It listens: takes a {@link Ready}. */
  ready: "worker.ready",
  /** It can't serve: takes why. */
  failed: "worker.failed",
  /** Asks all others the question that it names, with its arguments; gives the answers of those that are there. */
  gather: "workers.gather",
  /** The metrics of all: takes its own, and the `Accept` header. */
  metrics: "workers.metrics",
  /** Takes what it has counted, as it ends. */
  counted: "worker.counted"
} as const

/** Questions of a primary to a worker. */
export const orders = {
  /** Takes what files say; gives why they are not in force, or undefined. */
  reload: "gateway.reload",
  /** Takes why files can't be used. */
  refuse: "gateway.refuse",
  /** Hands over to who listens in its stead, and ends. */
  retire: "gateway.retire",
  /** A question of another worker: takes its name and its arguments. */
  sibling: "gateway.sibling",
  /** Whether it is well: gives a {@link Well}. */
  well: "worker.well"
} as const

/** The topic of what one worker tells all others, by way of the primary: a topic of theirs, and what is said. */
export const siblingNews = "siblings.news"

/** A secret for ids. */
export const newIdSecret = (): string => randomBytes(32).toString("base64url")
