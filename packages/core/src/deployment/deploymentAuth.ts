/**
 * With what a deployment proves to a cloud who asks: an account of Amazon's, Google's or Microsoft's in place of a key.
 */
import { Redacted, Schema } from "effect"
import * as Field from "../errors/Field.js"

const secret = Schema.Union(Schema.String, Schema.RedactedFromSelf(Schema.String)).annotations({
  message: () => ({ message: "a string", override: true }),
  jsonSchema: { type: "string" }
})

/** An account of a cloud. What is left out is looked for where the cloud's own tools look: its environment, files, metadata service. */
export const Auth = Schema.Struct({
  /** Whose account it is. Default: that of the protocol. */
  cloud: Field.option(
    Schema.Literal("aws", "google", "entra", "ibm", "oci").annotations({
      message: () => ({ message: '"aws", "google", "entra", "ibm" or "oci"', override: true })
    }),
    "Whose account it is. Default: that of the protocol."
  ),
  /** AWS: the access key's id. */
  accessKeyId: Field.option(secret, "AWS: the access key's id."),
  /** AWS: the access key's secret. */
  secretAccessKey: Field.option(secret, "AWS: the access key's secret."),
  /** AWS: the token of temporary credentials. */
  sessionToken: Field.option(secret, "AWS: the token of temporary credentials."),
  /** AWS: a profile of the shared configuration files; with roles and single sign-on as they say. */
  profile: Field.option(
    Field.text,
    "AWS: a profile of the shared configuration files; with roles and single sign-on as they say."
  ),
  /** AWS: a role that is taken on with the credentials. */
  roleArn: Field.option(Field.text, "AWS: a role that is taken on with the credentials."),
  /** AWS: the name of the role's sessions. Default `switchyard`. */
  sessionName: Field.option(Field.text, "AWS: the name of the role's sessions.", "switchyard"),
  /** AWS: what the role's owner asks for beside the credentials. */
  externalId: Field.option(Field.text, "AWS: what the role's owner asks for beside the credentials."),
  /**
   * AWS: the token of somebody whom the role trusts, in place of keys: the token itself, the path of its file, or `oidc/…` as
   * LiteLLM names places (`file`, `env`, `env_path`, `google`, `github`, `azure`, `circleci`). Read anew for every sign-in.
   */
  webIdentityToken: Field.option(
    secret,
    "AWS: the token of somebody whom the role trusts, in place of keys: the token itself, the path of its file, or `oidc/…` as LiteLLM names places (`file`, `env`, `env_path`, `google`, `github`, `azure`, `circleci`). Read anew for every sign-in."
  ),
  /** AWS: where roles are taken on. Unset: the region's own address. */
  stsEndpoint: Field.option(Field.httpUrl, "AWS: where roles are taken on. Unset: the region's own address."),
  /** Google: a service account's key, as JSON or as the path of its file. */
  credentials: Field.option(secret, "Google: a service account's key, as JSON or as the path of its file."),
  /** Entra: the directory. */
  tenantId: Field.option(Field.text, "Entra: the directory."),
  /** Entra: the application, or the managed identity where there is no secret. */
  clientId: Field.option(Field.text, "Entra: the application, or the managed identity where there is no secret."),
  /** Entra: the application's secret. */
  clientSecret: Field.option(secret, "Entra: the application's secret."),
  /** Entra: what the token is for. Default `https://cognitiveservices.azure.com/.default`. */
  scope: Field.option(Field.text, "Entra: what the token is for.", "https://cognitiveservices.azure.com/.default"),
  /** OCI: the tenancy's OCID. Unset: `OCI_TENANCY`. */
  tenancy: Field.option(Field.text, "OCI: the tenancy's OCID. Unset: `OCI_TENANCY`."),
  /** OCI: the user's OCID. Unset: `OCI_USER`. */
  user: Field.option(Field.text, "OCI: the user's OCID. Unset: `OCI_USER`."),
  /** OCI: the fingerprint of the user's API key. Unset: `OCI_FINGERPRINT`. */
  fingerprint: Field.option(Field.text, "OCI: the fingerprint of the user's API key. Unset: `OCI_FINGERPRINT`."),
  /** OCI: the private key that signs requests, as PEM or as the path of its file. Unset: `OCI_KEY`, else `OCI_KEY_FILE`. */
  privateKey: Field.option(
    secret,
    "OCI: the private key that signs requests, as PEM or as the path of its file. Unset: `OCI_KEY`, else `OCI_KEY_FILE`."
  )
})
/** An account of a cloud. */
export type Auth = typeof Auth.Type

/** A setting as it is, wherever it was kept out of sight. */
export const clear = (value: string | Redacted.Redacted<string> | undefined): string | undefined =>
  value === undefined || typeof value === "string" ? value : Redacted.value(value)

/** Settings of `Auth` that no log may show. */
const secrets = [
  "accessKeyId",
  "secretAccessKey",
  "sessionToken",
  "webIdentityToken",
  "credentials",
  "clientSecret",
  "privateKey"
] as const

/** The same, its secrets out of sight, without the white space that files of secrets end with. */
export const concealed = (auth: Auth): Auth => {
  const copy: Record<string, unknown> = { ...auth }
  for (const name of secrets) {
    const text = clear(auth[name])
    if (text !== undefined) copy[name] = Redacted.make(text.trim())
  }
  return copy as Auth
}

/** Its secrets, to be cut out of whatever is told. */
export const secretsOf = (auth: Auth | undefined): ReadonlyArray<string> =>
  auth === undefined ? [] : secrets.flatMap((name) => clear(auth[name]) ?? [])

/** Whether two are the same account. */
export const isSame = (a: Auth | undefined, b: Auth | undefined): boolean => {
  if (a === b) return true
  if (a === undefined || b === undefined) return false
  return (Object.keys(Auth.fields) as ReadonlyArray<keyof Auth>).every((name) => clear(a[name]) === clear(b[name]))
}
