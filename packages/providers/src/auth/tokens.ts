/**
 * Bearer tokens of Google's and Microsoft's accounts.
 */
import { type Auth, clear } from "@switchyard/core/Deployment"
import { load } from "./packages.js"
import { Renewed } from "./renewed.js"

/** A token, and the project that its account belongs to, where that is known. */
export interface Token {
  readonly token: string
  readonly project?: string | undefined
}

interface GoogleClient {
  readonly getAccessToken: () => Promise<{ readonly token?: string | null | undefined }>
  readonly credentials: { readonly expiry_date?: number | null | undefined }
}

interface GoogleAuthLibrary {
  readonly GoogleAuth: new (
    options: object
  ) => {
    readonly getClient: () => Promise<GoogleClient>
    readonly getProjectId: () => Promise<string>
  }
}

interface AzureToken {
  readonly token: string
  readonly expiresOnTimestamp: number
}

interface AzureCredential {
  readonly getToken: (scope: string) => Promise<AzureToken | null>
}

interface AzureIdentity {
  readonly DefaultAzureCredential: new (options: object) => AzureCredential
  readonly ClientSecretCredential: new (tenant: string, client: string, secret: string) => AzureCredential
}

const googleScope = "https://www.googleapis.com/auth/cloud-platform"

const parsed = (text: string): object => {
  try {
    return JSON.parse(text) as object
  } catch {
    // The parser's own words would quote the key.
    throw new Error("`credentials` is neither JSON nor the path of a file")
  }
}

/** What `credentials` is: a key as JSON, or the path of its file. */
const googleOptions = (credentials: string | undefined): object => {
  if (credentials === undefined || credentials === "") return { scopes: googleScope }
  return credentials.trimStart().startsWith("{")
    ? { scopes: googleScope, credentials: parsed(credentials) }
    : { scopes: googleScope, keyFilename: credentials }
}

/** Tokens of a Google account: a service account's, or whatever the machine is signed in as. */
export const googleTokens = (auth: Auth, needsProject: boolean): Renewed<Token> => {
  let client: Promise<{ readonly client: GoogleClient; readonly project: string | undefined }> | undefined
  const make = async () => {
    const { GoogleAuth } = await load<GoogleAuthLibrary>("google-auth-library")
    const account = new GoogleAuth(googleOptions(clear(auth.credentials)))
    return { client: await account.getClient(), project: needsProject ? await account.getProjectId() : undefined }
  }
  return new Renewed(async () => {
    client ??= make().catch((error: unknown) => {
      client = undefined
      throw error
    })
    const known = await client
    const { token } = await known.client.getAccessToken()
    if (token === null || token === undefined) throw new Error("Google gave no token")
    return { value: { token, project: known.project }, until: known.client.credentials.expiry_date ?? undefined }
  })
}

/** Tokens of an Entra account: an application's, or whatever the machine is signed in as. */
export const entraTokens = (auth: Auth): Renewed<Token> => {
  let credential: AzureCredential | undefined
  const make = async (): Promise<AzureCredential> => {
    const { ClientSecretCredential, DefaultAzureCredential } = await load<AzureIdentity>("@azure/identity")
    const { clientId, tenantId } = auth
    const secret = clear(auth.clientSecret)
    if (secret !== undefined && tenantId !== undefined && clientId !== undefined) {
      return new ClientSecretCredential(tenantId, clientId, secret)
    }
    return new DefaultAzureCredential({
      ...(tenantId === undefined ? {} : { tenantId }),
      ...(clientId === undefined ? {} : { managedIdentityClientId: clientId, workloadIdentityClientId: clientId })
    })
  }
  return new Renewed(async () => {
    credential ??= await make()
    const token = await credential.getToken(auth.scope ?? "https://cognitiveservices.azure.com/.default")
    if (token === null) throw new Error("Entra gave no token")
    return { value: { token: token.token }, until: token.expiresOnTimestamp }
  })
}
