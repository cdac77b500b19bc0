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

/** Questions of a worker to its primary. */
export const asks = {
  /** How to begin: a {@link Beginning}. */
  begin: "worker.begin",
  /** It listens: takes a {@link Ready}. */
  ready: "worker.ready",
  /** It can't serve: takes why. */
  failed: "worker.failed",
  /** Asks all workers, itself included, the question that it names; gives the answers of those that are there. */
  gather: "workers.gather",
  /** What it has counted, as it ends. */
  final: "worker.final",
  /** The merged metrics. */
  metrics: "workers.metrics"
} as const

/** Questions of a primary to a worker. */
export const orders = {
  /** Takes what files say; gives why they are not in force, or undefined. */
  reload: "gateway.reload",
  /** Takes why files can't be used. */
  refuse: "gateway.refuse",
  /** Hands over to who listens in its stead, and ends. */
  retire: "gateway.retire"
} as const

/** A secret for ids. */
export const newIdSecret = (): string => randomBytes(32).toString("base64url")
