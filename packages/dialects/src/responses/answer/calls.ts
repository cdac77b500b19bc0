/**
 * The calls of an answer as the caller offered its tools: with namespaces, and in free text.
 */
import type { Tool, ToolCallPart } from "../../conversation/Conversation.js"
import { inputOfArguments } from "../../parts/customTools.js"
import { withSignature } from "../../parts/toolIds.js"
import { callIdOf } from "../request/writeItems.js"

/** What a call is to the caller. */
export interface CallShape {
  readonly kind: "function" | "custom"
  readonly namespace: string | undefined
  /** It was asked as a function and is none: its arguments hold the text. */
  readonly isWrapped: boolean
}

type Call = Pick<ToolCallPart, "kind" | "name" | "namespace">

/** Looks up tools by their names. */
export const shapesOf = (tools: ReadonlyArray<Tool>): ((call: Call) => CallShape) => {
  let known: Map<string, Tool> | undefined
  return ({ kind, name, namespace }) => {
    known ??= new Map(tools.map((tool) => [tool.name, tool]))
    const tool = known.get(name)
    const isWrapped = kind === "function" && tool?.type === "custom"
    const offered = tool?.type === "function" || tool?.type === "custom" ? tool.namespace : undefined
    return { kind: isWrapped ? "custom" : kind, namespace: namespace ?? offered, isWrapped }
  }
}

/** The call as the caller knows it. */
export const asOffered = (call: ToolCallPart, shapeOf: (call: Call) => CallShape): ToolCallPart => {
  const { isWrapped, kind, namespace } = shapeOf(call)
  if (!isWrapped && namespace === call.namespace) return call
  return { ...call, kind, namespace, arguments: isWrapped ? inputOfArguments(call.arguments) : call.arguments }
}

/** The `call_id`; another dialect's signature goes along in it, since clients send nothing else of a call back. */
export const answerCallId = ({ id, signature }: Pick<ToolCallPart, "id" | "signature">, fallback: string): string => {
  const known = callIdOf(id ?? fallback)
  return signature === undefined || signature.dialect === "responses" ? known : withSignature(known, signature)
}
