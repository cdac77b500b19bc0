/**
 * URLs, and what was meant as one, in the parts that may and may not be shown.
 */

const masked = "<secret>"

/** Parameters that everybody may read; any other may be a key. */
const plainParameter =
  /^(?:api[-_]?version|version|v|region|location|alt|beta|model|deployment(?:-?id)?|format|stream|timeout|db|database)$/i

/** An `@`, also as it comes percent-encoded (twice too) or in full width. */
const at = /@|%(?:25)*40|＠|﹫/gi

const reference = /\$\{[^}]*\}/g

const endOfLast = (pattern: RegExp, text: string): number | undefined => {
  let end: number | undefined
  for (const match of text.matchAll(pattern)) end = match.index + match[0].length
  return end
}

/** The text as `URL` takes it where it is well-formed: with a scheme, an authority, and nothing that a parser would mend. */
const parsed = (text: string): URL | undefined => {
  const plain = text.replace(reference, "0")
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/\\?#\s]/i.test(plain) || /[\s\\]/.test(plain)) return undefined
  return URL.canParse(plain) ? new URL(plain) : undefined
}

/** A host that nobody would take for the name of a user, so an `@` behind it is one of a path or a query. */
const hasOwnHost = (url: URL | undefined): boolean =>
  url !== undefined &&
  url.username === "" &&
  url.password === "" &&
  url.port === "" &&
  (url.hostname.includes(".") || url.hostname === "localhost")

const parameters = (text: string, looksSecret: (text: string) => boolean): string =>
  text.replace(/([?#&;])([^?#&;]*)/g, (_, mark: string, part: string) => {
    if (part === "") return mark
    const [, name = "", equals, value = ""] = /^(.*?)(?:(=|%3d)(.*))?$/is.exec(part) ?? []
    if (equals === undefined) return `${mark}${masked}`
    const shownName = looksSecret(name) ? masked : name
    const isShown = value.length < 4 || (plainParameter.test(name) && !looksSecret(value))
    return `${mark}${shownName}=${isShown ? value : masked}`
  })

/** Host and path. A colon in what is no URL is followed by a port, or by a password whose `@` was forgotten. */
const front = (text: string, isUrl: boolean, looksSecret: (text: string) => boolean): string =>
  text
    .split("/")
    .map((segment) => {
      const valued = segment.replace(/(=|%3d)([^&;]*)/gi, (_, equals: string, value: string) =>
        value === "" ? equals : `${equals}${masked}`
      )
      const clean = isUrl
        ? valued
        : valued.replace(/\$\{[^}]*\}|:(?!\$\{)([^:]*)/g, (all, after: string | undefined) =>
            after === undefined || /^(?:\d*\]?|<secret>)$/.test(after) ? all : `:${masked}`
          )
      return looksSecret(clean) ? masked : clean
    })
    .join("/")

/** The text without secrets: what stands before the last `@`, values in the query, segments that look like a key. */
export const maskUrl = (text: string, looksSecret: (text: string) => boolean): string => {
  const url = parsed(text)
  const scheme = url === undefined ? "" : (/^[^:]*:\/\//.exec(text)?.[0] ?? "")
  const end = hasOwnHost(url) ? undefined : endOfLast(at, text)
  const rest = text.slice(end ?? scheme.length)
  const mark = rest.search(/[?#]/)
  const before = mark === -1 ? rest : rest.slice(0, mark)
  const after = mark === -1 ? "" : rest.slice(mark)
  const user = end === undefined ? "" : `${masked}@`
  return `${scheme}${user}${front(before, url !== undefined, looksSecret)}${parameters(after, looksSecret)}`
}

/**
 * Whether a text holds a URL, or what was meant as one: with a scheme, or a user and a password before a host. Ids like
 * `group:provider/model@host` are none.
 */
export const isMistypedUrl = (text: string): boolean =>
  /:[\\/]{1,3}\S|^\s*[\\/]{2}\S|\/\/\S{0,500}@|[^\s:/]:[^\s@/]{1,500}(?:@|%40)\S/i.test(text)

/** Percent-decoded, where it can be. */
export const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** What a URL holds that no text may repeat. */
export const secretsIn = (text: string): ReadonlyArray<string> => {
  if (!URL.canParse(text)) return []
  const { password, search, searchParams, username } = new URL(text)
  const user = password === "" ? username : password
  // As they stand there, too: not everybody encodes alike.
  const raw = search
    .slice(1)
    .split("&")
    .flatMap((part) => {
      const equals = part.indexOf("=")
      return equals === -1 || plainParameter.test(decoded(part.slice(0, equals))) ? [] : [part.slice(equals + 1)]
    })
  const values = [...searchParams].flatMap(([name, value]) =>
    plainParameter.test(name) ? [] : [value === "" ? name : value]
  )
  const held = [user, decoded(user), ...raw, ...values, ...(password === "" ? [] : [`${username}:${password}`])]
  return [...new Set(held)].filter((secret) => secret.length >= 4 && !/^(?:true|false|null|none)$/i.test(secret))
}
