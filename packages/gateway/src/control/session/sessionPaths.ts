/** Where people sign in and out, and the page asks whether they have; by which method. */
export const sessionPaths = {
  "/admin/login": "POST",
  "/admin/logout": "POST",
  "/admin/session": "GET"
} as const

/** One of them. */
export type SessionPath = keyof typeof sessionPaths

/** Whether a path is one. */
export const isSessionPath = (path: string): path is SessionPath => Object.hasOwn(sessionPaths, path)
