import type { Refusal } from "../../errors/ErrorBody.js"

/** What a part of a form says of itself. */
export interface PartHeading {
  readonly name: string
  /** The name in a message. */
  readonly shown: string
  readonly filename: string | undefined
  readonly contentType: string | undefined
  readonly isFile: boolean
}

/** Characters of a field's name. */
const maxName = 200

const bad = (message: string): Refusal => ({ status: 400, code: "invalid_form", message })

/** A parameter of a header's value. What is no escape is a backslash, as in the paths that old programs send. */
const parameter = /;[ \t]*([!#$%&'*+.^`|~\w-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;",]*))[ \t]*/gy

const unescaped = (text: string): string => text.replace(/\\(["\\])/g, "$1")

/** The parameters of a header's value; undefined where it has something else in it, or one of them twice. */
const parametersOf = (value: string, from: number): ReadonlyMap<string, string> | undefined => {
  const found = new Map<string, string>()
  let at = from
  while (at < value.length) {
    parameter.lastIndex = at
    const [whole = "", name = "", quoted, bare = ""] = parameter.exec(value) ?? []
    if (whole === "") return /^[; \t]*$/.test(value.slice(at)) ? found : undefined
    const key = name.toLowerCase()
    if (found.has(key)) return undefined
    found.set(key, quoted === undefined ? bare : unescaped(quoted))
    at += whole.length
  }
  return found
}

const typeLength = (value: string): number => {
  const end = value.indexOf(";")
  return end === -1 ? value.length : end
}

/** The boundary that a content type names: characters that cannot end a line early; undefined where there is no such. */
export const boundaryIn = (contentType: string): string | undefined => {
  const boundary = parametersOf(contentType, typeLength(contentType))?.get("boundary")
  return boundary !== undefined && /^[\x20-\x7e]{0,99}[\x21-\x7e]$/.test(boundary) ? boundary : undefined
}

/** RFC 5987: `UTF-8''name%20of%20it`. */
const extended = (text: string | undefined): string | undefined => {
  const [, charset, encoded] = /^([\w-]+)'[\w-]*'(.*)$/.exec(text ?? "") ?? []
  if (encoded === undefined || charset?.toLowerCase() !== "utf-8") return undefined
  try {
    return decodeURIComponent(encoded)
  } catch {
    return undefined
  }
}

const headersOf = (text: string): ReadonlyMap<string, string> | Refusal => {
  const headers = new Map<string, string>()
  if (text === "") return headers
  for (const line of text.split("\r\n")) {
    const [, name, value] = /^([!#$%&'*+.^`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (name === undefined || value === undefined || /[\x00-\x08\x0a-\x1f\x7f]/.test(value)) {
      return bad("a part of the form has headers that are none")
    }
    const key = name.toLowerCase()
    if (headers.has(key)) return bad(`a part of the form has the header ${key} twice`)
    headers.set(key, value)
  }
  return headers
}

/** A type that is text, or JSON, makes no file of a part that names none. */
const isText = (contentType: string): boolean => /^\s*(text\/|application\/json)/i.test(contentType)

/** What the headers of a part say, or what is wrong with them. */
export const headingOf = (text: string): PartHeading | Refusal => {
  const headers = headersOf(text)
  if ("status" in headers) return headers
  const disposition = headers.get("content-disposition")
  if (disposition === undefined) return bad("a part of the form has no content-disposition")
  const parameters = parametersOf(disposition, typeLength(disposition))
  const name = parameters?.get("name")
  if (parameters === undefined || !/^form-data[ \t]*(;|$)/i.test(disposition)) {
    return bad("a part of the form has a content-disposition that is none of a form")
  }
  if (name === undefined || name === "") return bad("a part of the form has no name")
  if (name.length > maxName) return bad(`a part of the form has a name longer than ${maxName} characters`)
  const shown = JSON.stringify(name.slice(0, 100))
  const contentType = headers.get("content-type")
  if (contentType !== undefined && /^\s*multipart\//i.test(contentType)) {
    return bad(`the part ${shown} of the form is a form itself; its files belong into parts of their own`)
  }
  const encoding = headers.get("content-transfer-encoding")
  if (encoding !== undefined && !/^(binary|8bit|7bit)$/i.test(encoding)) {
    return bad(`the part ${shown} of the form is encoded; parts are sent as they are`)
  }
  const filename = extended(parameters.get("filename*")) ?? parameters.get("filename")
  const isFile = filename !== undefined || (contentType !== undefined && !isText(contentType))
  return { name, shown, filename, contentType, isFile }
}
