/** What a tower is made of, for people: its concerns in their order, and whose each of its states is. */
import type { Built, Owner } from "./Build.js"
import type { AnyConcern, Tier } from "./Concern.js"
import { type AnyStack, statesOf } from "./Stack.js"
import { type AnyState, none } from "./State.js"

/** A concern of a stack. */
export interface ConcernView {
  readonly name: string
  readonly tier: Tier
  /** The key of its options. */
  readonly key: string
  /** What it is for. */
  readonly about: string | undefined
  /** Whether it is there under the options of the tower. */
  readonly isThere: boolean
  /** The names of its states. */
  readonly state: ReadonlyArray<string>
}

/** A state of a stack. */
export interface StateView {
  readonly name: string
  /** The keys of its options. */
  readonly keys: ReadonlyArray<string>
  /** The names of the concerns that read it. */
  readonly readBy: ReadonlyArray<string>
  /** The app's, made for the tower, or handed over from the one before. */
  readonly owner: Owner
}

/** A tower as its stack, from the outermost concern down to the base. */
export interface StackView {
  readonly concerns: ReadonlyArray<ConcernView>
  readonly state: ReadonlyArray<StateView>
}

const readers = ({ concerns }: Pick<AnyStack, "concerns">, state: AnyState): ReadonlyArray<string> =>
  concerns.flatMap((concern) => (concern.state.includes(state) ? [concern.id] : []))

/** A tower, as much of it as is looked at. */
export interface Viewed extends Pick<Built<AnyConcern>, "present" | "owners"> {
  readonly stack: Pick<AnyStack, "concerns">
}

/** What a tower is made of. */
export const view = (tower: Viewed): StackView => {
  const { owners, present, stack } = tower
  return {
    concerns: stack.concerns.map((concern) => ({
      name: concern.id,
      tier: concern.tier,
      key: concern.key,
      about: concern.about,
      isThere: present.includes(concern),
      state: concern.state.map((state: AnyState) => state.id)
    })),
    state: statesOf(stack.concerns).map((state) => ({
      name: state.id,
      keys: state.keys ?? (state.options === none ? [] : [state.key]),
      readBy: readers(stack, state),
      owner: owners.get(state.id) ?? "tower"
    }))
  }
}
