/**
 * Anthropic's Messages as other clouds take them: the model stands in the path, the version in the body, and each knows some beta
 * flags only.
 */
import type { JsonObject } from "@switchyard/core/Json"
import type { Dropped } from "../conversation/Problem.js"
import { asStrings } from "../parts/values.js"

/** A cloud that sells Claude. */
export interface ClaudeCloud {
  /** Of the dialect, as the cloud wants it in `anthropic_version`. */
  readonly version: string
  /** Beginnings of the flags that it knows, without their dates. */
  readonly betas: ReadonlyArray<string>
  /** Fields of Anthropic's own service that it refuses, and that change no answer. */
  readonly refused: ReadonlyArray<string>
}

/** Amazon Bedrock's InvokeModel. */
export const bedrock: ClaudeCloud = {
  version: "bedrock-2023-05-31",
  betas: [
    "computer-use-",
    "token-efficient-tools-",
    "interleaved-thinking-",
    "output-128k-",
    "dev-full-thinking-",
    "context-1m-",
    "context-management-",
    "compact-",
    "effort-",
    "fine-grained-tool-streaming-",
    "tool-search-tool-",
    "tool-examples-"
  ],
  refused: ["service_tier", "speed", "betas"]
}

/** Google's Vertex AI. */
export const vertex: ClaudeCloud = {
  version: "vertex-2023-10-16",
  betas: [
    "computer-use-",
    "token-efficient-tools-",
    "interleaved-thinking-",
    "output-128k-",
    "dev-full-thinking-",
    "context-1m-",
    "context-management-",
    "compact-",
    "effort-",
    "fine-grained-tool-streaming-",
    "tool-search-tool-",
    "tool-examples-",
    "web-search-"
  ],
  refused: ["service_tier", "speed", "betas"]
}

/** Beta flags as a cloud takes them, and those that it does not know. */
export interface Betas {
  readonly known: ReadonlyArray<string>
  readonly dropped: ReadonlyArray<Dropped>
}

/** The flags of an `anthropic-beta` header: several in one value, or in several. */
export const flagsIn = (header: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> => {
  if (header === undefined) return []
  const flags = new Set<string>()
  for (const value of typeof header === "string" ? [header] : header) {
    for (const flag of value.split(",")) if (flag.trim() !== "") flags.add(flag.trim())
  }
  return [...flags]
}

/** Which flags a cloud knows, by their beginnings. */
export const betasFor = (cloud: ClaudeCloud, flags: ReadonlyArray<string>): Betas => {
  const known: Array<string> = []
  const dropped: Array<Dropped> = []
  for (const flag of flags) {
    if (cloud.betas.some((prefix) => flag.startsWith(prefix))) known.push(flag)
    else dropped.push({ path: `anthropic-beta: ${flag}`, reason: "advisory" })
  }
  return { known, dropped }
}

/** A payload as it goes to a cloud. */
export interface CloudBody {
  readonly body: JsonObject
  readonly dropped: ReadonlyArray<Dropped>
}

const forCloud = (
  cloud: ClaudeCloud,
  body: JsonObject,
  flags: ReadonlyArray<string>,
  keepsStream: boolean
): CloudBody => {
  const given = [...flags, ...(asStrings(body.anthropic_beta) ?? []), ...(asStrings(body.betas) ?? [])]
  const { dropped, known } = betasFor(cloud, flagsIn(given))
  const left = [...dropped]
  const written: Record<string, unknown> = { anthropic_version: cloud.version }
  for (const name in body) {
    if (name === "model" || name === "anthropic_beta" || (name === "stream" && !keepsStream)) continue
    if (!cloud.refused.includes(name)) written[name] = body[name]
    else if (name !== "betas") left.push({ path: name, reason: "advisory" })
  }
  if (known.length > 0) written.anthropic_beta = known
  return { body: written, dropped: left }
}

/** For Bedrock's InvokeModel: model and streaming are in the path, flags in the body. `flags`: of the `anthropic-beta` header. */
export const forBedrock = (body: JsonObject, flags: ReadonlyArray<string> = []): CloudBody =>
  forCloud(bedrock, body, flags, false)

/**
 * For Vertex AI's rawPredict and streamRawPredict: the model is in the path. Flags go in the body too, where Vertex reads them as
 * in the header.
 */
export const forVertex = (body: JsonObject, flags: ReadonlyArray<string> = []): CloudBody =>
  forCloud(vertex, body, flags, true)
