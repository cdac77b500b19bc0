/** The paths of the key management: known without loading it. */

/** What may be done at a path. */
export interface Managed {
  readonly method: "GET" | "POST"
  /** Whoever bears a key may ask about it. */
  readonly isForCallers: boolean
  /** As logs may have it: a key in a path is none of theirs. */
  readonly shown: string
}

const posts = [
  ...["generate", "update", "delete", "block", "unblock", "regenerate"].map((what) => `/key/${what}`),
  ...["new", "update", "delete", "block", "unblock", "member_add", "member_delete"].map((what) => `/team/${what}`),
  ...["new", "update", "delete"].map((what) => `/user/${what}`)
]

const gets = [
  ...["info", "list", "openapi.json"].map((what) => `/key/${what}`),
  ...["/team", "/user"].flatMap((whose) => ["info", "list"].map((what) => `${whose}/${what}`)),
  "/spend/logs",
  "/global/spend/report"
]

const known: ReadonlyMap<string, Managed> = new Map<string, Managed>([
  ...posts.map((path) => [path, { method: "POST", isForCallers: false, shown: path }] as const),
  ...gets.map((path) => [path, { method: "GET", isForCallers: path === "/key/info", shown: path }] as const)
])

const ofThisKey: Managed = { method: "POST", isForCallers: false, shown: "/key/.../regenerate" }

/** What may be done at a path; undefined for every other path. */
export const managedAt = (path: string): Managed | undefined =>
  known.get(path) ?? (/^\/key\/[^/]+\/regenerate$/.test(path) ? ofThisKey : undefined)

/** All of them, a key in a path as `:key`. */
export const managedPaths: ReadonlyArray<string> = [...known.keys(), "/key/:key/regenerate"]
