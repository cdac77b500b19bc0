import { mutateBytes } from "./mutateBytes.js"
import { mutateJson } from "./mutateJson.js"
import { pick, type Step } from "./steps.js"

const chunkKeys = [
  "id",
  "object",
  "created",
  "model",
  "choices",
  "index",
  "delta",
  "message",
  "text",
  "role",
  "content",
  "reasoning_content",
  "refusal",
  "tool_calls",
  "function",
  "arguments",
  "function_call",
  "name",
  "finish_reason",
  "usage",
  "prompt_tokens",
  "completion_tokens",
  "error",
  "code",
  "status",
  "data",
  "type"
] as const

const foreign = [
  'data: {"error":{"message":"overloaded","code":529}}',
  'event: error\ndata: {"message":"broken"}',
  "data: [DONE]",
  "data:",
  "data: null",
  "data: []",
  "data: 1",
  "data: {",
  "data: {}",
  'data: "x"',
  "data: <html>",
  "data: ping",
  'event: ping\ndata: {"type":"ping"}',
  'event: completion\ndata: {"choices":[{"index":0,"delta":{"content":"named"}}]}',
  'data: {"choices":[]}',
  'data: {"choices":[],"usage":{"prompt_tokens":1e308,"completion_tokens":-1}}',
  'data: {"choices":[{"index":1e9,"delta":{"content":"far"}}]}',
  'data: {"choices":[{"index":-1,"delta":{"content":"below"}}]}',
  'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":1000000000,"function":{"arguments":"{}"}}]}}]}',
  'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
  'data: {"choices":[{"index":0,"delta":{"content":"more"}}]}',
  `data: {"id":"${"i".repeat(100_000)}","choices":[]}`,
  "junk",
  "retry: x",
  "id: \0"
] as const

const harmless = [": comment", ":", "id: 7", "retry: 10", "unknown: x", ': data: {"choices":[]}'] as const

const blocksOf = (text: string): Array<string> => text.split(/\n\n/)

const onBlock = (text: string, at: number, change: (block: string) => string): string => {
  const blocks = blocksOf(text)
  const index = at % blocks.length
  blocks[index] = change(blocks[index] ?? "")
  return blocks.join("\n\n")
}

/** What changes nothing in what a stream says. Lines of the corpus end with `\n`. */
const mutateHarmlessly = (text: string, { at, kind, what }: Step): string => {
  switch (kind % 5) {
    case 0: {
      const blocks = blocksOf(text)
      blocks.splice(at % blocks.length, 0, pick(harmless, what))
      return blocks.join("\n\n")
    }
    case 1:
      return onBlock(text, at, (block) => (block === "" ? block : `${pick(harmless, what)}\n${block}`))
    case 2:
      // A line's end is only space, between two members.
      return onBlock(text, at, (block) =>
        block.replace(/^(data: ?\{"[a-z]+":(?:"[^"\\]*"|[^",{}[\]]+),)/, "$1\ndata: ")
      )
    case 3:
      return text.replaceAll("data: ", "data:")
    default:
      return text.startsWith("\ufeff") ? text : `\ufeff${text}`
  }
}

/** Line ends are changed last: the other mutations look for `\n`. */
export const withLineEnds = (text: string, which: number): string => {
  if (which % 3 === 1) return text.replaceAll("\n", "\r\n")
  return which % 3 === 2 ? text.replaceAll("\n", "\r") : text
}

const mutateStream = (text: string, step: Step): string => {
  const { at, kind, size, what } = step
  const blocks = blocksOf(text)
  const index = at % blocks.length
  switch (kind % 8) {
    case 0:
      blocks.splice(index, 1 + (size % 3))
      return blocks.join("\n\n")
    case 1:
      blocks.splice(index, 0, blocks[index] ?? "")
      return blocks.join("\n\n")
    case 2: {
      const other = size % blocks.length
      const [a = "", b = ""] = [blocks[index], blocks[other]]
      blocks[index] = b
      blocks[other] = a
      return blocks.join("\n\n")
    }
    case 3:
      blocks.splice(index, 0, pick(foreign, what))
      return blocks.join("\n\n")
    case 4:
      return onBlock(text, at, (block) => `event: ${pick(["message", "ping", "error", "x", ""], what)}\n${block}`)
    case 5:
      return blocks.slice(0, index + 1).join("\n\n")
    default:
      return onBlock(text, at, (block) =>
        block.replace(
          /^data: ?(\{.*\})$/m,
          (_, json: string) => `data: ${mutateJson(json, { ...step, kind: size, at: what, size: kind }, chunkKeys)}`
        )
      )
  }
}

/** What a mutation of an answer is: `harmless` ones leave what it says as it is. */
export interface AnswerStep {
  readonly how: "harmless" | "structure" | "bytes"
  readonly step: Step
}

/** The body of an answer after some mutations. */
export const mutateAnswer = (body: Buffer, isStream: boolean, steps: ReadonlyArray<AnswerStep>): Buffer => {
  let bytes = body
  for (const { how, step } of steps) {
    if (how === "bytes") bytes = mutateBytes(bytes, step)
    else {
      const text = bytes.toString("utf8")
      if (isStream) bytes = Buffer.from(how === "harmless" ? mutateHarmlessly(text, step) : mutateStream(text, step))
      else if (how === "structure") bytes = Buffer.from(mutateJson(text, step, chunkKeys))
    }
  }
  return bytes
}
