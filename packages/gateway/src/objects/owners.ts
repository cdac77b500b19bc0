import type { Caller } from "../keys/KeyRing.js"

/**
 * Whose an object is. A key's objects stay its own when its secret is exchanged, since they go by its name; the master key has its
 * own ones, and so has everybody together where no key is configured.
 */
export const ownerOf = ({ isMaster, name }: Pick<Caller, "isMaster" | "name">): string =>
  name !== undefined ? `key ${name}` : isMaster ? "master" : ""
