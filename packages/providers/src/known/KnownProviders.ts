/**
 * Where the known providers are, and by which API they are asked, under every name that LiteLLM, liter-llm and models.dev give
 * them: base URL, and the environment variables that hold the key. A configuration that names a provider needs no URL of its
 * own then. The data is part of the package (`scripts/catalogue.mjs` renews it); what somebody has checked beats it.
 */
import { picked, upper } from "./picked.js"
import type { KnownProvider, Picked } from "./provider.js"
import { providerRows } from "./providerRows.js"
import { unspoken } from "./unspoken.js"

export type { KnownProvider }

/** A row of the data. */
interface Row {
  readonly name: string
  readonly title?: string
  readonly url?: string
  readonly keys?: ReadonlyArray<string>
  readonly bases?: ReadonlyArray<string>
  readonly protocol?: string
  readonly renames?: Readonly<Record<string, string>>
  /** Another name of the same provider, whose fields hold. */
  readonly same?: string
  /** Only a package of its own knows how it is asked. */
  readonly packaged?: true
  readonly from: ReadonlyArray<string>
}

const rows: ReadonlyMap<string, Row> = new Map(
  providerRows.flatMap((text) => (JSON.parse(text) as ReadonlyArray<Row>).map((row) => [row.name, row] as const))
)
const byHand: ReadonlyMap<string, Picked> = new Map(picked.map((one) => [one.name, one]))

const unique = (names: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(names)]

/** What the lists say, where nobody has looked. */
const listed = (name: string): Picked => {
  const { bases, keys, protocol = "openai", url } = rows.get(name) ?? {}
  return {
    name,
    baseUrl: url,
    keyVariables: keys ?? [`${upper(name)}_API_KEY`],
    baseVariables: bases ?? [`${upper(name)}_API_BASE`],
    basePath: undefined,
    modelPrefix: undefined,
    protocol,
    compatibleUrl: undefined,
    batchDiscount: undefined
  }
}

const made = (name: string): KnownProvider => {
  const row = rows.get(name)
  const own = byHand.get(name)
  const other = own === undefined && row?.same !== undefined ? made(row.same) : undefined
  const known = own ?? other ?? listed(name)
  const why = unspoken.get(name) ?? other?.unspoken
  const url = why?.compatible ?? known.baseUrl ?? other?.template
  // What has a package of its own may still answer in OpenAI's dialect, where a base URL says so.
  const isOpen = url?.includes("{") === true
  const isClosed = why !== undefined && why.compatible === undefined
  return {
    ...known,
    name,
    title: row?.title ?? other?.title ?? name,
    baseUrl: isClosed || isOpen ? undefined : url,
    template: isOpen && !isClosed ? url : undefined,
    keyVariables: other === undefined ? known.keyVariables : unique([...(row?.keys ?? []), ...known.keyVariables]),
    unspoken: why,
    renames: row?.renames ?? other?.renames ?? {},
    sources: row?.from ?? []
  }
}

/** All of them: those that somebody has checked first, then the others in the order of their names. */
export const providers: ReadonlyArray<KnownProvider> = unique([
  ...byHand.keys(),
  ...[...rows.keys()],
  ...[...unspoken.keys()]
]).map(made)

const byName: ReadonlyMap<string, KnownProvider> = new Map(providers.map((known) => [known.name, known]))

/** The provider of that name; undefined when nothing is known about it. */
export const find = (name: string): KnownProvider | undefined => byName.get(name)

/** Whether it can be asked at all: in a dialect of ours, at a base URL of its own or of the user's. */
export const isSpoken = ({ baseUrl, template, unspoken }: KnownProvider): boolean =>
  unspoken === undefined || baseUrl !== undefined || template !== undefined

/** Why a provider cannot be asked as it is, as a sentence; undefined where it can. */
export const whyUnspoken = ({ name, unspoken }: KnownProvider): string | undefined => {
  if (unspoken === undefined) return undefined
  if (unspoken.kind === "elsewhere") return `${name} is ${unspoken.why}: no endpoint here asks it.`
  return `${name}'s own dialect cannot be spoken yet (${unspoken.why}); where it answers in OpenAI's too, set \`api_base\` to that and \`custom_llm_provider: openai\`.`
}

/** How the key is sent: `bearer`, a header's name, the account of a cloud (`aws`, `google`, `ibm`), or `none`. */
export const authOf = ({ keyVariables, protocol }: KnownProvider): string => {
  const headers: Readonly<Record<string, string>> = {
    anthropic: "x-api-key",
    azure: "api-key",
    bedrock: "aws",
    gemini: "x-goog-api-key",
    sagemaker: "aws",
    vertex: "google",
    watsonx: "ibm"
  }
  return headers[protocol] ?? (keyVariables.length === 0 ? "none" : "bearer")
}

/** Variables that a base URL with braces still needs. */
export const neededBy = ({ template }: KnownProvider, env: Readonly<Record<string, string | undefined>>) =>
  [...(template ?? "").matchAll(/\{(\w+)\}/g)]
    .map(([, variable]) => variable as string)
    .filter((variable) => firstSet([variable], env) === undefined)

/** Its base URL, with what the environment knows put in; undefined where something of it stays unknown. */
export const baseUrlOf = (
  known: KnownProvider | undefined,
  env: Readonly<Record<string, string | undefined>>
): string | undefined => {
  if (known?.template === undefined || neededBy(known, env).length > 0) return known?.baseUrl
  return known.template.replace(/\{(\w+)\}/g, (_, variable: string) => env[variable] ?? "")
}

/** The first of some environment variables that is set, and not empty. */
export const firstSet = (
  names: ReadonlyArray<string>,
  env: Readonly<Record<string, string | undefined>>
): string | undefined => names.map((name) => env[name]).find((value) => value !== undefined && value !== "")

/** The base URL that a user meant: without the operation's path, and with the one that the provider's API needs. */
export const completeBaseUrl = (given: string, known: Pick<KnownProvider, "basePath"> | undefined): string => {
  const plain = given.replace(/\/+$/, "").replace(/\/(chat\/completions|completions|embeddings)$/, "")
  if (known?.basePath === undefined || !URL.canParse(plain)) return plain
  return new URL(plain).pathname === "/" ? plain + known.basePath : plain
}
