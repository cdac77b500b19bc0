import type { Draft, Reader } from "./draft.js"
import { type Given, isUnsetList } from "./values.js"

/** Settings that may stand in `router_settings` or in `litellm_settings`; the first wins. */
export class Globals {
  constructor(
    private readonly draft: Draft,
    readonly router: Reader,
    readonly settings: Reader
  ) {}

  /** The value in force; an empty list counts as unset, 0 does not. */
  get(key: string, nameInSettings = key): Given | undefined {
    const own = this.router.get(key)
    const other = this.settings.get(nameInSettings)
    const hasOther = other !== undefined && !isUnsetList(other.value)
    if (own === undefined || isUnsetList(own.value)) return hasOther ? other : undefined
    if (hasOther && JSON.stringify(own.value) !== JSON.stringify(other.value)) {
      this.draft.note(other.path, `${own.path} wins.`)
    }
    return own
  }
}
