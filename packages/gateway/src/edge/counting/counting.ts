/**
 * How many tokens a request has: as the provider counts them where it does, else as a tokenizer does where one is asked for and
 * knows the model, else an estimate that errs high. It opens no breaker, takes no limit and costs no budget.
 */
import type { JsonObject } from "@switchyard/core/Json"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmRequest } from "@switchyard/core/LlmRequest"
import * as SideCalls from "@switchyard/core/SideCalls"
import { substitute } from "@switchyard/core/Wildcard"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { Context, Effect, Option } from "effect"
import type { Speech } from "../../errors/ErrorBody.js"
import type { Generation } from "../../generations/Generations.js"
import { estimateHigh, parted } from "./tokenEstimate.js"
import type { Tokenizer } from "./tokenizer.js"

/** Ms for which a provider's counter is waited for, and how many deployments are asked. */
const patience = 5_000
const mostAsked = 2

/** What makes a prompt, in any language. */
const promptFields = [
  "messages",
  "system",
  "tools",
  "input",
  "instructions",
  "text",
  "contents",
  "systemInstruction",
  "system_instruction",
  "toolConfig",
  "response_format",
  "output_config"
]

/** Google's clients may send the request within another one. */
const innerOf = (body: JsonObject): JsonObject => {
  const inner = body.generateContentRequest ?? body.generate_content_request
  return typeof inner === "object" && inner !== null && !Array.isArray(inner) ? (inner as JsonObject) : body
}

/** A count, and who counted. */
export interface Count extends SideCalls.Counted {
  readonly by: "provider" | "tokenizer" | "estimate"
  readonly deployment: string | undefined
}

/** Who counts, where an estimate is not all. */
interface Counters {
  readonly side?: SideCalls.SideCalls
  readonly tokenizer?: Tokenizer | undefined
}

const unknownModel = (model: string): LlmError =>
  new LlmError({
    reason: "UnknownModel",
    description: `no model group, alias or deployment is called ${JSON.stringify(model.slice(0, 200))}`
  })

/** Counts a request's tokens. Fails where the model is unknown, and where a provider says that the request is wrong. */
export const count = (
  { tower }: Generation,
  request: LlmRequest,
  { side = SideCalls.none, tokenizer }: Counters
): Effect.Effect<Count, LlmError> => {
  const resolved = Context.get(tower.state, DeploymentRegistry).resolve(request.model)
  if (resolved === undefined) return Effect.fail(unknownModel(request.model))
  const estimated: Effect.Effect<Count> = Effect.sync(() => ({
    tokens: estimateHigh(innerOf(request.body), promptFields),
    by: "estimate",
    deployment: undefined
  }))
  const [slot] = resolved.group.tiers.flat()
  const first = slot?.deployment.provider
  const model = slot?.deployment.baseModel ?? substitute(slot?.deployment.model ?? request.model, resolved.captures)
  let asked: Effect.Effect<Count, LlmError> =
    tokenizer === undefined
      ? estimated
      : Effect.suspend(() => {
          const { tokens: beside, words } = parted(innerOf(request.body), promptFields)
          return Effect.flatMap(tokenizer.count(model, words), (tokens) =>
            tokens === undefined
              ? estimated
              : Effect.succeed<Count>({ tokens: tokens + beside, by: "tokenizer", deployment: undefined })
          )
        })
  const { bond } = request
  const candidates = resolved.group.tiers
    .flat()
    .filter(({ deployment }) =>
      bond === undefined ? deployment.provider === first : deployment.id === bond.deployment
    )
  for (const { deployment } of candidates.slice(0, mostAsked).reverse()) {
    const call = side.count(deployment, substitute(deployment.model, resolved.captures), request)
    if (call === undefined) continue
    const otherwise = asked
    asked = Effect.matchEffect(Effect.timeoutOption(call, patience), {
      onSuccess: Option.match({
        onNone: () => otherwise,
        onSome: (counted): Effect.Effect<Count, LlmError> =>
          Effect.succeed({ ...counted, by: "provider", deployment: deployment.id })
      }),
      onFailure: (error) => (error.reason === "InvalidRequest" ? Effect.fail(error) : otherwise)
    })
  }
  return asked
}

/** A count in the caller's words. */
export const spokenCount = (speech: Speech, { body, tokens }: Count): JsonObject => {
  if (body !== undefined) return body
  switch (speech) {
    case "gemini":
      return { totalTokens: tokens }
    case "responses":
      return { object: "response.input_tokens", input_tokens: tokens }
    default:
      return { input_tokens: tokens }
  }
}
