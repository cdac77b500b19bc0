// Writes docs/litellm-config.md from the table of keys that the gateway translates and warns by; `--check` fails when the
// document is not what the table says.
import { tsImport } from "tsx/esm/api"
import { writeOrCheck } from "./generated.mjs"

const document = "docs/litellm-config.md"
const { keys } = await tsImport("../packages/litellm/src/keys/keys.ts", import.meta.url)
const foreign = await tsImport("../packages/gateway/src/edge/calls/foreignFields.ts", import.meta.url)
const { names } = await tsImport("../packages/litellm/src/keys/theirKeys.ts", import.meta.url)

/** Id, title, and what is said below it. @type {Array<[string, string, string]>} */
const sections = [
  ["file", "Top level", "Any other key at the top is one of our own settings."],
  ["model_list", "`model_list[]`", ""],
  [
    "litellm_params",
    "`model_list[].litellm_params`",
    "Any other key is a parameter of the model and is sent where the request does not set it. One that looks like a\nmisspelt setting, belongs to another dialect (`aws_…`, `vertex_…`), or that LiteLLM keeps to itself (`prompt_id`,\n`allowed_openai_params`, 140 more prices), is warned about and not sent. One that only looks like a setting\n(`rpm_limit`, `context_window`) is sent, as LiteLLM does, and noted."
  ],
  [
    "model_info",
    "`model_list[].model_info`",
    "May hold anything else; one note for the file says that it is not read."
  ],
  [
    "router_settings",
    "`router_settings`",
    "A key that LiteLLM does not have either is warned about, with the name that was probably meant."
  ],
  ["routing_strategy_args", "`router_settings.routing_strategy_args`", ""],
  [
    "litellm_settings",
    "`litellm_settings`",
    "A key that LiteLLM does not have either is warned about, with the name that was probably meant."
  ],
  ["cache_params", "`litellm_settings.cache_params`", ""],
  [
    "general_settings",
    "`general_settings`",
    "A key that LiteLLM does not have either is warned about, with the name that was probably meant."
  ],
  ["request", "What a request may say", "In the body, or as a header `x-litellm-…`. None of it goes upstream."]
]

const cell = (/** @type {string} */ text) => text.replaceAll("|", "\\|")

const row = ({ how, key, support }) => `| \`${key}\` | ${support} | ${cell(how)} |`

const sectionText = ([section, title, more]) => {
  const rows = keys.filter((/** @type {{ section: any; }} */ key) => key.section === section).map(row)
  const lead = more === "" ? "" : `${more}\n\n`
  const others = [...names(section)].map((name) => `\`${name}\``).join(", ")
  const rest = others === "" ? "" : `\nKnown, and not done here, with a warning each: ${others}.\n`
  return `## ${title}\n\n${lead}| key | | |\n|---|---|---|\n${rows.join("\n")}\n${rest}`
}

const listed = (/** @type {any[]} */ all, after = "") =>
  all.map((/** @type {string} */ name) => `\`${name}${after}\``).join(", ")

const mayNotSay = `## What a request may not say

Where it goes, with whose credentials, and who is told of it. LiteLLM refuses most of these; here none is ever obeyed, and no
setting lets them in (\`configurable_clientside_auth_params\` and \`allow_client_side_credentials\` are warned about). They are
looked for in the body, in its ${listed(foreign.containers)}, and in targets of fallbacks. null says nothing.

Refused, with 400 \`field_not_allowed\`, all of a request named at once: ${listed(foreign.refusedNames)}.

Refused too, but in \`metadata\` and \`litellm_metadata\` anybody's labels: ${listed(foreign.refusedOutsideMetadata)}, and whatever
begins with ${listed(foreign.refusedFamilies, "…")}.

Left out, and named in the header \`x-switchyard-left-out\` and once in the log: ${listed(foreign.droppedNames)}. (\`organization\` in metadata
is a label.)
`

const text = `# LiteLLM's \`config.yaml\`

<!-- Written by scripts/litellm-docs.mjs; edit the tables in packages/litellm/src/keys. -->

The gateway reads a LiteLLM proxy's file unchanged. Each key is \`honoured\`, \`warned\` (the check of the file names its path
and says what happens instead), or \`accepted\` (there is nothing to do, and nothing that anybody would miss). A value that
asks for nothing (\`false\`, an empty list) is never warned about. \`switchyard check FILE\` shows it all.

Rules for the whole file:

- \`router_settings\` wins over \`litellm_settings\`; an empty list counts as unset, 0 does not.
- Seconds, as LiteLLM has them, also as fractions and as strings like \`"10"\`.
- A deployment without \`model_info.id\` gets an id made of its group, provider, model and host, with \`#2\`, \`#3\` where several
  are alike; limits, weights and keys take no part in it.
- An entry of \`model_list\` with a mistake in it (a base URL that is none, \`timeout: "30s"\`, a number that is none, no \`model\`) is left
  out with an error that names its path, the value and what was expected; the gateway starts with the others. \`check\` exits with 1,
  and a reload that would lose a deployment by it is refused. What holds for more than one deployment must be right: keys, limits and
  budgets of callers and providers, the router's settings; and so must our own settings.
- A deployment that nobody can ask rightly is left out with a warning, and so are fallback targets that only it would serve:
  - a provider whose own dialect is not spoken (Replicate, Black Forest Labs and others: \`switchyard providers\` tells). Those of
    Anthropic, Gemini, Cohere, Ollama, Bedrock, Vertex AI and Claude on Azure are, but at a base URL that is known to speak
    OpenAI's: \`…/openai\`, \`…/compatibility/v1\`, Ollama's \`/v1\`. \`custom_llm_provider: openai\` says that any other does;
  - a provider of \`custom_provider_map\`, a handler in Python;
  - groups for which there is no endpoint, by \`mode\` or by the model's name: video, realtime sessions, reading of documents,
    search, vector stores; and images, sounds and rankings of a provider that is asked for chats alone.
- \`responses/…\`, \`mode: responses\`, and models that only the Responses API serves (\`*-codex\`, \`*-pro\`) are asked there.
- A variable that is not set stops nothing: a deployment whose key, base URL or model is in it is left out with a warning (the
  provider's own variables do not stand in for one that the file names), any other setting counts as unset. Servers of one's
  own are asked without a key. Only \`master_key\` is an error, and a list of which nothing is left.
- \`*\` for the model of \`*\` stands for the providers whose keys are in the environment: each gets the names that mean it, by
  prefix or by what its models are called. A name that means another provider, or none, is refused.
- A key that stands twice in a map: the last one counts, and a warning names the lines that are not in force.
- Targets of fallbacks and aliases that nobody serves are left out with a warning. A second deployment of one id is \`#2\`.
- A key at the top that LiteLLM does not know is one of our own settings where it fits, else it is warned about and not read.
  Words of ours alone (\`deployments\`, \`masterKey\`, keys with a name) must be right.
- \`text-completion-openai/…\` serves \`/v1/completions\` alone.
- A file without \`master_key\` takes the one of \`LITELLM_MASTER_KEY\`, where that is set; set but empty, it is an error.
- \`LITELLM_SALT_KEY\` is taken for \`server.idSecret\`, where the file has none: ids of responses, files and batches are sealed with it.
- \`LITELLM_CORS_ORIGINS\` (separated by commas) is taken for \`server.cors\`, where the file has none. LiteLLM lets pages of any
  origin call where that is not set either; here none may.
- Keys and base URLs that the file does not give come from the provider's own environment variables (\`OPENAI_API_KEY\`).

What differs from LiteLLM on purpose:

- \`rpm\` and \`tpm\` are limits, under every strategy: what is beyond them in 60 s goes to another deployment, or is refused
  with 429. LiteLLM only weighs by them under \`simple-shuffle\` and \`least-busy\`, unless \`enable_pre_call_checks\` is true.
- The first cooldown is 5 s and doubles up to 20 s while a deployment does not recover; \`cooldown_time\` sets the first.
- \`allowed_fails: 3\` is a real 3: the fourth failure within 60 s cools the deployment.
- \`timeout\` (\`request_timeout\`) bounds an attempt as a whole, but of a stream only its silences, as a read timeout does. With
  somewhere else to go the first token has the lesser of \`timeout\` and our own bound (10 s and 1 s per 4,000 prompt tokens, 180 s
  where the model reasons); with nowhere else it has \`timeout\`. Any \`stream_timeout\` beats any \`timeout\`: it is the time to the
  first token and of every silence, also where nothing else is left to ask. The whole request has 600 s, or the longest of these
  bounds where that is longer.
- A refusal by a safety system leads to \`content_policy_fallbacks\` alone, never to \`fallbacks\`.
- Bad requests are never retried, and never count against a deployment, whatever a policy says.
- Cached answers belong to the caller that asked; limits, budgets and the cache belong to this process, unless \`redis_*\` names a Redis that several share ([how](operations.md#several-gateways)).

${sections.map(sectionText).join("\n")}
${mayNotSay}`

writeOrCheck(document, text, {
  content: `${keys.length} keys`,
  source: "the table of keys",
  script: "litellm-docs.mjs"
})
