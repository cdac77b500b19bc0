/**
 * What an upstream's answer says, read without any code of the router: the second opinion on what a caller got.
 */

import { depthOf } from "./jsonTree.js"

/** A raw HTTP response of the corpus. `x-fuzz-end: broken` in its head: the connection breaks after the last byte. */
export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

const separator = "\r\n\r\n"

export const readAnswer = (bytes: Buffer): RawAnswer => {
  const end = bytes.indexOf(separator)
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n")
  return {
    status: Number(first.split(" ")[1]),
    headers: Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(":")
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
      })
    ),
    body: bytes.subarray(end + separator.length)
  }
}

export const writeAnswer = ({ body, headers, status }: RawAnswer): Buffer =>
  Buffer.concat([
    Buffer.from(
      `HTTP/1.1 ${status} X\r\n${Object.entries(headers)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join("")}\r\n`,
      "latin1"
    ),
    body
  ])

type Json = { readonly [key: string]: unknown }

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** An event as the specification of server-sent events dispatches it; `isWhole`: its empty line came. */
interface ServerEvent {
  readonly name: string
  readonly data: string
  readonly isWhole: boolean
}

export const eventsIn = (text: string): ReadonlyArray<ServerEvent> => {
  const found: Array<ServerEvent> = []
  let name = ""
  let data: Array<string> = []
  const dispatch = (isWhole: boolean): void => {
    if (data.length > 0 && data.join("") !== "") found.push({ name, data: data.join("\n"), isWhole })
    name = ""
    data = []
  }
  for (const line of text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/)) {
    if (line === "") dispatch(true)
    const [, field = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (field === "data") data.push(value)
    if (field === "event") name = value
  }
  dispatch(false)
  return found
}

/** All that an answer says, choice by choice, text and tool calls and reasoning each in one piece. */
export type Said = Readonly<Record<string, string>>

/** What nests deeper than can be written is no answer that anybody could hand on. */
const written = (value: unknown): string => {
  try {
    return JSON.stringify(value)
  } catch {
    return "too deep"
  }
}

/** Parts of text are text; of other parts every field counts. */
const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  return listOf(value)
    .map((part) =>
      isObject(part) && part.type === "text" && typeof part.text === "string" ? part.text : written(part)
    )
    .join("")
}

const addTo = (said: Record<string, string>, where: string, value: unknown): void => {
  const text = textOf(value)
  if (text !== "") said[where] = (said[where] ?? "") + text
}

/** The order of calls stands for their index, which a whole answer does not tell. */
const sayMessage = (said: Record<string, string>, index: string, message: Json): boolean => {
  const before = JSON.stringify(said)
  addTo(said, `${index} content`, message.content)
  addTo(said, `${index} refusal`, message.refusal)
  for (const call of listOf(message.tool_calls)) {
    if (isObject(call) && isObject(call.function)) addTo(said, `${index} arguments`, call.function.arguments)
  }
  if (isObject(message.function_call)) addTo(said, `${index} arguments`, message.function_call.arguments)
  return JSON.stringify(said) !== before
}

/** How a stream stands after some of its events. */
interface State {
  readonly said: Record<string, string>
  readonly open: Set<string>
  readonly finished: Set<string>
  /** Choices that went on after their finish reason, at some time or until the end. */
  readonly resumed: Set<string>
  readonly trailing: Set<string>
}

/** JSON has numbers that are too large for JavaScript; they stay the largest there is. */
const indexOf = (said: number): number => Math.min(said, Number.MAX_SAFE_INTEGER)

const takeChunk = (state: State, chunk: Json): void => {
  for (const choice of listOf(chunk.choices)) {
    if (!isObject(choice)) continue
    const index = typeof choice.index === "number" ? String(indexOf(choice.index)) : "0"
    let goesOn = false
    if (isObject(choice.delta)) {
      goesOn = sayMessage(state.said, index, choice.delta)
      const { delta } = choice
      goesOn ||= listOf(delta.tool_calls).length > 0
    } else {
      addTo(state.said, `${index} content`, typeof choice.text === "string" ? choice.text : "")
      goesOn = typeof choice.text === "string" && choice.text !== ""
    }
    if (goesOn && state.finished.has(index)) {
      state.resumed.add(index)
      state.trailing.add(index)
    }
    if (typeof choice.finish_reason === "string" && choice.finish_reason !== "") {
      state.trailing.delete(index)
      state.open.delete(index)
      state.finished.add(index)
    } else if (!state.finished.has(index)) state.open.add(index)
  }
}

/** `isWhole`: whoever tells a caller that the answer is over tells the truth. */
export interface Verdict {
  readonly isWhole: boolean
  readonly said: Said
  /** Events that hold a part of the answer. */
  readonly parts: number
}

const lifeWord = /^\s*(?:ping|pong|heart-?beat|keep-?alive)\s*$/i

const isLife = (name: string, data: string, json: unknown): boolean => {
  const choices = isObject(json) && Array.isArray(json.choices) ? json.choices : undefined
  if (name !== "" && name !== "message") return choices === undefined || choices.length === 0
  if (choices !== undefined) return false
  if (json === undefined) return lifeWord.test(data)
  if (json === null || json === "") return true
  return (
    isObject(json) && (Object.keys(json).length === 0 || (typeof json.type === "string" && lifeWord.test(json.type)))
  )
}

const isError = (json: Json): boolean => {
  const { error } = json
  return (
    (typeof error === "string" && error.trim() !== "") ||
    (isObject(error) && typeof error.message === "string" && error.message !== "")
  )
}

/** What a stream says, until its end, `[DONE]`, or what breaks it. */
export const verdictOnStream = (text: string, endsWell: boolean): Verdict => {
  const state: State = {
    said: {},
    open: new Set(),
    finished: new Set(),
    resumed: new Set(),
    trailing: new Set()
  }
  let parts = 0
  const conclude = (isWhole: boolean): Verdict => ({ isWhole, said: state.said, parts })
  const hasFinished = (): boolean => state.finished.size > 0 && state.open.size === 0
  for (const { data, isWhole, name } of eventsIn(text)) {
    // Without an end of its own a last event counts only at a good end of the connection.
    if (!isWhole && !endsWell) break
    if (data.startsWith("[DONE]")) return conclude(hasFinished())
    const json = parse(data)
    if (name !== "error" && isLife(name, data, json)) continue
    const isCutOff = !isWhole && !isObject(json)
    if (isCutOff) break
    // What nests deeper is no event for anybody.
    const isDeep = data.length > 1_000 && depthOf(data) > 500
    if (name === "error" || !isObject(json) || isDeep || isError(json))
      return conclude(hasFinished() && state.resumed.size === 0)
    takeChunk(state, json)
    parts++
  }
  return conclude(hasFinished() && (endsWell ? state.trailing.size === 0 : state.resumed.size === 0))
}

/** What a whole answer says. */
export const saidWhole = (body: unknown): Said => {
  const said: Record<string, string> = {}
  if (!isObject(body)) return said
  for (const [place, choice] of listOf(body.choices).entries()) {
    if (!isObject(choice)) continue
    const index = typeof choice.index === "number" ? String(indexOf(choice.index)) : String(place)
    if (isObject(choice.message)) sayMessage(said, index, choice.message)
    else if (isObject(choice.delta)) sayMessage(said, index, choice.delta)
    else addTo(said, `${index} content`, typeof choice.text === "string" ? choice.text : "")
  }
  return said
}
