/**
 * What a secret is called, what it looks like, and how it is kept out of what is shown: of files, URLs, logs and the texts
 * of providers alike. Nobody else decides that.
 */
import { Encoding } from "effect"
import { decoded, isMistypedUrl, maskUrl as maskParts, secretsIn } from "./urlParts.js"

/** What stands in place of a secret. */
export const masked = "<secret>"

/** A text shorter than this tells nobody anything, and to cut it out would spoil what is around it. */
const shortest = 4

/** Not every `token`: `firstTokenTimeout` and `maxTokens` are no secrets. */
const secretName =
  /key|secret|token$|^tokens$|passw(?:or)?d|passphrase|(?:^|[_-])pwd$|authorization|credential|cookie|(?:^|[_-])jwt$|connection_?string|(?:^|[_-])dsn$/i
/** `Idempotency-Key` names no credential, though it sounds like one; a price per token does not either. */
const plainName = /per_token$|^(?:x-)?idempotency-key$/i

/** Whether a setting or a header of this name holds a secret. */
export const isSecretName = (name: string): boolean => secretName.test(name) && !plainName.test(name)

/** Headers that everybody may read. */
const plainHeader =
  /^(?:accept.*|user-agent|content-.*|.*-(?:version|beta)|http-referer|referer|x-title|(?:x-)?idempotency-key)$/i

/** Whether a header says what everybody may read. Any other that a configuration sets may hold a key. */
export const isPlainHeader = (name: string): boolean => plainHeader.test(name)

/** Whether a header that a caller brought holds a credential. */
export const isSecretHeader = (name: string): boolean =>
  isSecretName(name) || (/token/i.test(name) && !plainName.test(name))

/** Everything in these may be a secret, whatever its name. */
const opaque = /^(?:(?:extra|default)_?)?headers$|^environment_variables$|^auth$/i

/** Whether whatever stands below a setting of this name may be a secret. */
export const isOpaque = (name: string): boolean => opaque.test(name)

/** Keys of providers, and tokens, by how they begin. */
const keyStart = /^(?:(?:sk|pk|rk|gsk|xai|csk|pplx|hf|nvapi)[-_]|(?:bearer|basic)\s+\S|AIza|eyJ)/i

const isRandom = (run: string): boolean => /\d/.test(run) && /[a-z]/i.test(run)

/**
 * Whether a whole text looks like a credential: by its beginning, or by a long run of mixed letters and digits. A run of megabytes is
 * looked at in parts: to step back from its end takes more stack than there is.
 */
export const looksSecret = (text: string): boolean =>
  keyStart.test(text) || (text.match(/[A-Za-z0-9]{20,4096}/g) ?? []).some(isRandom)

/** Keys inside of other text. Providers quote them with stars in the middle, too. */
const keyShapes =
  /(?<![A-Za-z0-9])(?:(?:sk|pk|rk|gsk|xai|csk|pplx|nvapi)[-_][\w*-]{12,}|AIza[\w*-]{20,}|eyJ[\w-]{20,}[\w.-]*|AKIA[A-Z0-9]{12,}|gh[pousr]_\w{20,})|(?<!\w)(?:hf|fw|key)[-_](?=[\w*-]{0,80}\d)[\w*-]{12,}|(?<=\b(?:bearer|basic)\s{1,4})[\w.~+/=*-]{8,}/gi

/** A text without whatever has the shape of a key. */
export const withoutKeys = (text: string): string => text.replace(keyShapes, masked)

/** Names of settings that hold URLs, whatever else is wrong with them. */
const urlName = /ur[il]s?$|^(?:api_?)?base$|endpoint|prox(?:y|ies)$|^https?$|webhook|host$|origin/i

/** A text that stands under `name`, as it may be shown. */
export const shownText = (name: string, text: string): string => {
  if (text === "") return text
  if (isSecretName(name) || keyStart.test(text)) return masked
  if (urlName.test(name) || isMistypedUrl(text)) return maskUrl(text)
  return looksSecret(text) ? masked : text
}

/** Whether a text is a URL, or was meant as one. */
export const isUrl: (text: string) => boolean = isMistypedUrl

/** A URL, well-formed or mistyped, without what stands before its `@`, the values of its query, and what looks like a key. */
export const maskUrl = (text: string): string => maskParts(text, looksSecret)

/** The secrets that a URL holds: its password, or a user without one, and the values of its query that are none of the plain ones. */
export const inUrl = (url: string): ReadonlyArray<string> => secretsIn(url)

/** The `Authorization` that a URL's user and password are sent as. */
export const basic = ({ password, username }: URL): string =>
  `Basic ${Encoding.encodeBase64(`${decoded(username)}:${decoded(password)}`)}`

/** Half a character cannot be encoded. */
const encodedBy = (encode: (text: string) => string, text: string): string => {
  try {
    return encode(text)
  } catch {
    return text
  }
}

const base64 = (text: string): ReadonlyArray<string> =>
  text.length < 8 ? [] : [Encoding.encodeBase64(text).replace(/=+$/, ""), Encoding.encodeBase64Url(text)]

const encodings = (text: string): ReadonlyArray<string> => {
  const encoded = encodedBy(encodeURIComponent, text)
  const json = JSON.stringify(text).slice(1, -1)
  return [
    text,
    encoded,
    encoded.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    encoded.replaceAll("%20", "+"),
    encodedBy(encodeURI, text),
    json,
    json.replaceAll("/", "\\/"),
    ...base64(text)
  ]
}

/** A secret as texts may spell it: as it is, percent-encoded or decoded, inside JSON, and in base64. */
export const spellings = (secret: string): ReadonlyArray<string> =>
  [...new Set([...encodings(secret), ...encodings(decoded(secret))])].filter(({ length }) => length >= shortest)

/** Every spelling of every secret, the longest first, because one may be part of another. */
export const spelt = (secrets: Iterable<string>): ReadonlyArray<string> =>
  [...new Set([...secrets].flatMap(spellings))].sort((a, b) => b.length - a.length)

/** Takes the secrets that it knows, and whatever has the shape of a key, out of texts. */
export class Scrubber {
  private readonly known: ReadonlySet<string>
  private readonly spelt: ReadonlyArray<string>

  constructor(secrets: Iterable<string>) {
    this.known = new Set(secrets)
    this.spelt = spelt(this.known)
  }

  /** A text without them. */
  clean(text: string): string {
    let clean = text
    for (const secret of this.spelt) {
      if (clean.includes(secret)) clean = clean.replaceAll(secret, masked)
    }
    return withoutKeys(clean)
  }

  /** At most `max` characters of any text. */
  text(text: string, max: number): string {
    // A secret may lie across the cut.
    const scrubbed = this.clean(text.length > max * 4 ? text.slice(0, max * 4) : text)
    return scrubbed.length > max ? `${scrubbed.slice(0, max - 1)}…` : scrubbed
  }

  /** A caller's own id of a request: it is a secret or it is none, and a thousand keys do not make it slower. */
  id(id: string): string {
    return this.known.has(id) ? masked : withoutKeys(id)
  }
}

/** Ids of the operator's account, as providers put them into messages: `org-…`, `proj_…`, `organization: <uuid>`. */
const accounts =
  /\b(?:org|proj)[-_][A-Za-z0-9]{6,}|(?<=\b(?:org|organi[sz]ation|project|account|workspace)(?:[\s_-]id)?["'`\s:=]{1,4})(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|[0-9]{6,})/gi

/** A provider's text without what identifies the operator's account with it. */
export const withoutAccounts = (text: string): string => text.replace(accounts, "(account)")
