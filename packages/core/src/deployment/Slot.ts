/**
 * A slot holds one deployment and the state that layers keep about it. State sits in the slot, in a cell per concern, so
 * that a strategy reads it without a map lookup; cells outlive a change of the deployment's configuration.
 */
import { globalValue } from "effect/GlobalValue"
import type { Deployment, DeploymentId } from "./Deployment.js"

/** Names one concern's cell in every slot, and says how to make it when a slot is first asked for it. */
export interface SlotKey<A> {
  readonly name: string
  readonly index: number
  readonly make: (deployment: Deployment, slot: Slot) => A
}

/** One count for the process: a second copy of this module in an app's tree would else give the same places to other cells. */
const keys = globalValue(Symbol.for("@switchyard/core/Slot/keys"), () => ({ made: 0 }))

/**
 * Makes a key. Each state service makes its own when it is built, so two stacks over one registry don't share state. A
 * key takes one array element per slot for the life of the process: make keys per layer, never per call.
 */
export const key = <A>(name: string, make: (deployment: Deployment, slot: Slot) => A): SlotKey<A> => ({
  name,
  index: keys.made++,
  make
})

/** A deployment in its place: the configuration of this moment, and cells that survive the next one. */
export class Slot {
  private constructor(
    readonly deployment: Deployment,
    private readonly cells: Array<unknown>
  ) {}

  /** A slot with empty cells. */
  static make(deployment: Deployment): Slot {
    return new Slot(deployment, [])
  }

  /** The deployment's id. */
  get id(): DeploymentId {
    return this.deployment.id
  }

  /** The cell of a concern, made at first use. */
  get<A>(key: SlotKey<A>): A {
    const cell = this.cells[key.index]
    if (cell !== undefined) return cell as A
    const made = key.make(this.deployment, this)
    this.cells[key.index] = made
    return made
  }

  /** The same cells under a new configuration: calls in flight keep the old slot, and both see one state. */
  withDeployment(deployment: Deployment): Slot {
    return new Slot(deployment, this.cells)
  }
}
