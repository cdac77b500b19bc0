/**
 * What a deployment is made from, as options and files say it.
 */
import { Schema } from "effect"
import * as Field from "../errors/Field.js"
import { Reason } from "../errors/LlmError.js"
import { operations } from "../shared/Operation.js"
import { Auth } from "./deploymentAuth.js"

/** How a provider's certificate is checked. */
export const Tls = Schema.Struct({
  /** Whether it is checked at all. False lets anybody on the way read what is sent, keys too. Default true. */
  verify: Field.option(
    Schema.Boolean,
    "Whether it is checked at all. False lets anybody on the way read what is sent, keys too.",
    true
  ),
  /** A file of CA certificates (PEM) that are trusted in place of Node's own list. */
  ca: Field.option(Field.text, "A file of CA certificates (PEM) that are trusted in place of Node's own list.")
})
/** How a provider's certificate is checked. */
export type Tls = typeof Tls.Type

/** Paths that the gateway serves itself. */
const own =
  /^\/(?:chat|completions|embeddings|responses|messages|models|moderations|rerank|images|audio|files|batches|health|metrics|admin|dashboard)(?:\/|$)/

const passedPath = Schema.String.pipe(
  Schema.filter(
    (path) =>
      /^\/[\w.*~!$&'()+,;=:@-]+(?:\/[\w.*~!$&'()+,;=:@-]+)*$/.test(path) &&
      !/\/\.{1,2}(?:\/|$)/.test(path) &&
      !own.test(path)
  )
).annotations({
  message: () => ({
    message: "a path below the base URL like /vector_stores/*, and none that the gateway serves itself",
    override: true
  }),
  jsonSchema: { type: "string", pattern: "^/" }
})

/** What callers may ask of a deployment beside models. */
const PassThrough = Schema.Union(
  Schema.Literal(true),
  Schema.Array(
    Schema.Struct({
      /** The method that is let through. */
      method: Field.required(
        Schema.Literal("GET", "POST", "DELETE", "PUT", "PATCH"),
        "The method that is let through."
      ) /** The path below the base URL; a star stands for any text. */,
      /** The path below the base URL; a star stands for any text. */
      path: Field.required(passedPath, "The path below the base URL; a star stands for any text.")
    })
  )
).annotations({
  message: () => ({
    message: "true, or a list of { method, path }: a path below the base URL like /vector_stores/*",
    override: true
  })
})

/** What a deployment is made from. Every key but `id`, `group` and `model` may be left out. */
export const DeploymentConfig = Schema.Struct({
  /** Stable and unique; state and metrics are kept under it. */
  id: Field.required(Field.text, "Stable and unique; state and metrics are kept under it."),
  /** The model group that callers name. */
  group: Field.required(Field.text, "The model group that callers name."),
  /** The provider's own model name, sent upstream. */
  model: Field.required(Field.text, "The provider's own model name, sent upstream."),
  /**
   * The model's public name, where `model` is a name of one's own, as Azure's are: for example `gpt-5`, or `azure/gpt-5`. It
   * tells which parameters the model takes, whether it reasons, its list price and its context window. Unset: by `model`.
   */
  baseModel: Field.option(
    Field.text,
    "The model's public name, where `model` is a name of one's own, as Azure's are: for example `gpt-5`, or `azure/gpt-5`. It tells which parameters the model takes, whether it reasons, its list price and its context window. Unset: by `model`."
  ),
  /** A label for metrics and reports, for example `openai`. Default `openai`. */
  provider: Field.option(Field.text, "A label for metrics and reports, for example `openai`.", "openai"),
  /**
   * Which API it is: `openai` is any that is OpenAI-compatible; `responses` the same at its Responses API; `azure`, `anthropic`,
   * `gemini`, `vertex`, `bedrock`, `sagemaker`, `watsonx`, `snowflake`, `oci`, `cohere`, `ollama` those providers' own. Default `openai`.
   */
  protocol: Field.option(
    Field.text,
    "Which API it is: `openai` is any that is OpenAI-compatible; `responses` the same at its Responses API; `azure`, `anthropic`, `gemini`, `vertex`, `bedrock`, `sagemaker`, `watsonx`, `snowflake`, `oci`, `cohere`, `ollama` those providers' own.",
    "openai"
  ),
  /**
   * The dialect in which it is asked whatever the caller speaks, where its API has several: `chat` or `responses` of OpenAI and
   * Azure, `messages` or `converse` of Bedrock. Unset: the caller's where the API has it, else the one that says most.
   */
  dialect: Field.option(
    Schema.Literal("chat", "responses", "messages", "gemini", "converse").annotations({
      message: () => ({ message: '"chat", "responses", "messages", "gemini" or "converse"', override: true })
    }),
    "The dialect in which it is asked whatever the caller speaks, where its API has several: `chat` or `responses` of OpenAI and Azure, `messages` or `converse` of Bedrock. Unset: the caller's where the API has it, else the one that says most."
  ),
  /** Base URL of the API, for example `https://api.openai.com/v1`. Unset: where the provider is known to be. */
  baseUrl: Field.option(
    Field.httpUrl,
    "Base URL of the API, for example `https://api.openai.com/v1`. Unset: where the provider is known to be."
  ),
  /** Azure: the `api-version`; unset or `v1` for the API without one. Anthropic: the `anthropic-version`. watsonx: the `version`. */
  apiVersion: Field.option(
    Field.text,
    "Azure: the `api-version`; unset or `v1` for the API without one. Anthropic: the `anthropic-version`. watsonx: the `version`."
  ),
  /** Vertex AI: the Google Cloud project; watsonx: the project; OCI: the compartment. Unset: that of the environment or of the credentials. */
  project: Field.option(
    Field.text,
    "Vertex AI: the Google Cloud project; watsonx: the project; OCI: the compartment. Unset: that of the environment or of the credentials."
  ),
  /** Vertex AI's location, the AWS region of Bedrock and SageMaker, or the region of watsonx and OCI. Unset: `region`, where it can be one, then that of the environment. */
  location: Field.option(
    Field.text,
    "Vertex AI's location, the AWS region of Bedrock and SageMaker, or the region of watsonx and OCI. Unset: `region`, where it can be one, then that of the environment."
  ),
  /** The cloud account that asks, where there is no key: for `bedrock`, `sagemaker`, `vertex`, `azure` and `oci`. */
  auth: Field.option(
    Auth,
    "The cloud account that asks, where there is no key: for `bedrock`, `sagemaker`, `vertex`, `azure` and `oci`."
  ),
  /** The credential; kept `Redacted`, so that it never shows in logs or errors. */
  apiKey: Field.option(
    Schema.Union(Schema.String, Schema.RedactedFromSelf(Schema.String)).annotations({
      message: () => ({ message: "a string", override: true }),
      jsonSchema: { type: "string" }
    }),
    "The credential; kept `Redacted`, so that it never shows in logs or errors."
  ),
  /** How the provider's certificate is checked. Unset: as the transport does. */
  tls: Field.option(Tls, "How the provider's certificate is checked. Unset: as the transport does."),
  /** Extra request headers. */
  headers: Field.option(Schema.Record({ key: Schema.String, value: Schema.String }), "Extra request headers."),
  /** Share of traffic for weighted strategies: any finite number of at least 0. Unset: by rpm, else tpm, else even. */
  weight: Field.option(
    Field.nonNegative,
    "Share of traffic for weighted strategies: any finite number of at least 0. Unset: by rpm, else tpm, else even."
  ),
  /** Requests per 60 s. Unset: no limit. */
  rpm: Field.option(Field.count, "Requests per 60 s. Unset: no limit."),
  /** Tokens per 60 s, input and output. Unset: no limit. */
  tpm: Field.option(Field.count, "Tokens per 60 s, input and output. Unset: no limit."),
  /** Calls in flight at once, streams included until they end. Unset: no limit. */
  maxParallel: Field.option(Field.count, "Calls in flight at once, streams included until they end. Unset: no limit."),
  /** Total time of one attempt that does not stream. Unset: only the request's deadline bounds it. */
  timeout: Field.option(
    Field.duration,
    "Total time of one attempt that does not stream. Unset: only the request's deadline bounds it."
  ),
  /** Total time of one streaming attempt. Unset: only the request's deadline bounds it, and its silences. */
  streamTimeout: Field.option(
    Field.duration,
    "Total time of one streaming attempt. Unset: only the request's deadline bounds it, and its silences."
  ),
  /** Time to the first token of a stream. Unset: the Timeouts layer's rule. */
  firstTokenTimeout: Field.option(
    Field.duration,
    "Time to the first token of a stream. Unset: the Timeouts layer's rule."
  ),
  /** Silence allowed between two chunks of a stream. Unset: the Timeouts layer's option. */
  idleTimeout: Field.option(
    Field.duration,
    "Silence allowed between two chunks of a stream. Unset: the Timeouts layer's option."
  ),
  /**
   * The longest silence of a stream: it bounds the time to the first token from above (as it is, where there is nowhere else
   * to go), and is the time between two chunks. `firstTokenTimeout` and `idleTimeout` beat it. Unset: the Timeouts layer's.
   */
  silenceTimeout: Field.option(
    Field.duration,
    "The longest silence of a stream: it bounds the time to the first token from above (as it is, where there is nowhere else to go), and is the time between two chunks. `firstTokenTimeout` and `idleTimeout` beat it. Unset: the Timeouts layer's."
  ),
  /** Retries for a request that fails here; overrides the router's. */
  maxRetries: Field.option(Field.retries, "Retries for a request that fails here; overrides the router's."),
  /** The first cooldown after failures here; overrides the Cooldown layer's `duration`. 0: it never cools. */
  cooldown: Field.option(
    Field.durationOrZero,
    "The first cooldown after failures here; overrides the Cooldown layer's `duration`. 0: it never cools."
  ),
  /** Failures within the breaker's window that are borne here; one more opens it. Overrides its counting rules. */
  allowedFails: Field.option(
    Field.count,
    "Failures within the breaker's window that are borne here; one more opens it. Overrides its counting rules."
  ),
  /** Retries by the reason of the latest error, for a request that fails here; beats the group's and the router's. */
  retryPolicy: Field.option(
    Schema.partial(Schema.Record({ key: Reason, value: Field.retries })),
    "Retries by the reason of the latest error, for a request that fails here; beats the group's and the router's."
  ),
  /** `PriorityBased` and `Ordered`: lower first, unset last. */
  priority: Field.option(Field.finite, "`PriorityBased` and `Ordered`: lower first, unset last."),
  /** Tier: lower tiers are tried first by every strategy, unset last. */
  order: Field.option(Field.finite, "Tier: lower tiers are tried first by every strategy, unset last."),
  /** What requests may demand of it, and budgets go by. */
  tags: Field.option(Schema.Array(Field.text), "What requests may demand of it, and budgets go by."),
  /** Where it stands, for example `eu`; requests may demand one. */
  region: Field.option(Field.text, "Where it stands, for example `eu`; requests may demand one."),
  /** Input tokens that fit. Unset: what is publicly known of the model, with some doubt; else unknown. */
  contextWindow: Field.option(
    Field.count,
    "Input tokens that fit. Unset: what is publicly known of the model, with some doubt; else unknown."
  ),
  /** What the model can do, for example `tools`, `vision`, `json_schema`, `reasoning`. Unset: what is publicly known of it; else unknown. */
  capabilities: Field.option(
    Schema.Array(Field.text),
    "What the model can do, for example `tools`, `vision`, `json_schema`, `reasoning`. Unset: what is publicly known of it; else unknown."
  ),
  /**
   * What it may be asked for, where that is not everything: a model that only completes texts cannot chat. Default: all that
   * its protocol has; beside conversations, what its model is publicly known for.
   */
  operations: Field.option(
    Schema.Array(Schema.Literal(...operations)),
    "What it may be asked for, where that is not everything: a model that only completes texts cannot chat. Default: all that its protocol has; beside conversations, what its model is publicly known for."
  ),
  /**
   * What callers may ask of it beside models: `true` for vector stores and fine-tuning, or methods and paths below its base URL, in
   * which a star stands for any text. Default: nothing.
   */
  passThrough: Field.option(
    PassThrough,
    "What callers may ask of it beside models: `true` for vector stores and fine-tuning, or methods and paths below its base URL, in which a star stands for any text. Default: nothing."
  ),
  /** USD per million input tokens; 0 is free, unset is unknown. */
  inputPrice: Field.option(Field.price, "USD per million input tokens; 0 is free, unset is unknown."),
  /** USD per million input tokens from the provider's cache. Unset: the input price. */
  cachedInputPrice: Field.option(
    Field.price,
    "USD per million input tokens from the provider's cache. Unset: the input price."
  ),
  /** USD per million output tokens. */
  outputPrice: Field.option(Field.price, "USD per million output tokens."),
  /** USD per image. Unset: the list's. Where one of these prices of units is set, those of tokens are the deployment's own alone. */
  perImage: Field.option(
    Field.price,
    "USD per image. Unset: the list's. Where one of these prices of units is set, those of tokens are the deployment's own alone."
  ),
  /** USD per image by what is asked for: `1024x1536`, `hd`, `hd 1024x1536`; `perImage` for all others. */
  imagePrices: Field.option(
    Schema.Record({ key: Schema.String, value: Field.price }),
    "USD per image by what is asked for: `1024x1536`, `hd`, `hd 1024x1536`; `perImage` for all others."
  ),
  /** USD per second of sound, heard or spoken. */
  perSecond: Field.option(Field.price, "USD per second of sound, heard or spoken."),
  /** USD per character that is spoken. */
  perCharacter: Field.option(Field.price, "USD per character that is spoken."),
  /** USD per search, which reranking is billed by. */
  perSearch: Field.option(Field.price, "USD per search, which reranking is billed by."),
  /** The part of its prices that is taken off in a batch: 0.5 is half. Default: what the provider is known to take off. */
  batchDiscount: Field.option(
    Field.fraction,
    "The part of its prices that is taken off in a batch: 0.5 is half. Default: what the provider is known to take off."
  ),
  /**
   * Whether usage is asked for in every stream (`stream_options`). False: no `stream_options` are sent, not even the
   * caller's, and usage that the provider does not tell is estimated. Default true, until a provider refuses them.
   */
  streamUsage: Field.option(
    Schema.Boolean,
    "Whether usage is asked for in every stream (`stream_options`). False: no `stream_options` are sent, not even the caller's, and usage that the provider does not tell is estimated. Default true, until a provider refuses them.",
    true
  ),
  /**
   * What an event of a stream that is no JSON object does: `cut` fails the stream, as it may have held text; `skip` counts it
   * and goes on. Default `cut`.
   */
  onMalformedEvent: Field.option(
    Schema.Literal("cut", "skip").annotations({ message: () => ({ message: '"cut" or "skip"', override: true }) }),
    "What an event of a stream that is no JSON object does: `cut` fails the stream, as it may have held text; `skip` counts it and goes on.",
    "cut"
  ),
  /**
   * Whether parameters that the model's family is known to refuse are left out, for example `temperature` of a model that
   * thinks. Default false: they go on, and the provider's error with them. A request may say otherwise.
   */
  dropParams: Field.option(
    Schema.Boolean,
    "Whether parameters that the model's family is known to refuse are left out, for example `temperature` of a model that thinks. Default false: they go on, and the provider's error with them. A request may say otherwise.",
    false
  ),
  /** Parameters that are always left out, also parts of them: `stream_options`, `tools[*].function.strict`. */
  additionalDropParams: Field.option(
    Schema.Array(Field.text),
    "Parameters that are always left out, also parts of them: `stream_options`, `tools[*].function.strict`."
  ),
  /**
   * What a stream whose `[DONE]` comes without a finish reason is: `cut` off, or whole, with a finish reason added
   * (`accept`), for providers that never send one. Default `cut`.
   */
  onMissingFinish: Field.option(
    Schema.Literal("cut", "accept").annotations({ message: () => ({ message: '"cut" or "accept"', override: true }) }),
    "What a stream whose `[DONE]` comes without a finish reason is: `cut` off, or whole, with a finish reason added (`accept`), for providers that never send one.",
    "cut"
  ),
  /** Payload fields that this deployment adds where the request does not set them, for example `temperature`. */
  defaults: Field.option(
    Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    "Payload fields that this deployment adds where the request does not set them, for example `temperature`."
  )
})
/** What a deployment is made from. */
export type DeploymentConfig = typeof DeploymentConfig.Type

/** What an option of a deployment is when it is left out. */
export const defaults = Field.defaults(DeploymentConfig)
