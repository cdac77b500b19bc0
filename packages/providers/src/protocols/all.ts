/**
 * Every API that this package speaks, by the name that `deployment.protocol` gives it.
 */
import { anthropic } from "./anthropic.js"
import { azure } from "./azure.js"
import { bedrock } from "./bedrock.js"
import { cohere } from "./cohere.js"
import { gemini } from "./gemini.js"
import { oci } from "./oci.js"
import { ollama } from "./ollama.js"
import { openai, responsesApi } from "./openai.js"
import type { Protocol } from "./protocol.js"
import { sagemaker } from "./sagemaker.js"
import { snowflake } from "./snowflake.js"
import { vertex } from "./vertex.js"
import { watsonx } from "./watsonx.js"

/** In the order in which they are told. */
const all: ReadonlyArray<Protocol> = [
  openai,
  responsesApi,
  azure,
  anthropic,
  gemini,
  vertex,
  bedrock,
  sagemaker,
  watsonx,
  snowflake,
  oci,
  cohere,
  ollama
]

const byName: ReadonlyMap<string, Protocol> = new Map(all.map((protocol) => [protocol.name, protocol]))

/** Their names. */
export const names: ReadonlyArray<string> = all.map(({ name }) => name)

/** The API of that name; undefined where there is none. */
export const protocolOf = (name: string): Protocol | undefined => byName.get(name)
