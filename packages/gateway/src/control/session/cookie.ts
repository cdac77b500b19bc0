/** The cookie that a session is known by. Scripts can't read it, and no other site's page makes a browser send it. */
import { longest } from "./sessions.js"

const name = "switchyard_session"

/** Cookies of that name that are looked at: other programs of the host may have set one, too. */
const mostIds = 4

/** An id as they are made: 256 bits in base64url. */
const pattern = /^[\w-]{43}$/

/** The ids in a `Cookie` header. */
export const idsIn = (header: string | undefined): ReadonlyArray<string> =>
  (header ?? "")
    .split(";")
    .flatMap((pair) => {
      const [key = "", value = ""] = pair.split("=", 2)
      return key.trim() === name && pattern.test(value.trim()) ? [value.trim()] : []
    })
    .slice(0, mostIds)

const cookie = (value: string, seconds: number, isByTls: boolean): string =>
  `${name}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${isByTls ? "; Secure" : ""}`

/** Gives a browser its session. */
export const given = (id: string, isByTls: boolean): string => cookie(id, longest / 1_000, isByTls)

/** Takes it away. */
export const taken = (isByTls: boolean): string => cookie("", 0, isByTls)
