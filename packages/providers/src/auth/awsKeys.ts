/**
 * The keys by which an AWS account signs: its own, those that the machine knows, or those of a role that is taken on.
 */
import { type Auth, clear } from "@switchyard/core/Deployment"
import type { Keys } from "./aws.js"
import { load } from "./packages.js"
import { type Lasting, Renewed } from "./renewed.js"
import { assume, assumeWithToken } from "./sts.js"

interface CredentialProviderNode {
  readonly defaultProvider: (options: {
    readonly profile?: string
  }) => () => Promise<Keys & { readonly expiration?: Date | undefined }>
}

const own = async (auth: Auth): Promise<Lasting<Keys>> => {
  const accessKeyId = clear(auth.accessKeyId)
  const secretAccessKey = clear(auth.secretAccessKey)
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    return {
      value: { accessKeyId, secretAccessKey, sessionToken: clear(auth.sessionToken) },
      until: Number.POSITIVE_INFINITY
    }
  }
  const { defaultProvider } = await load<CredentialProviderNode>("@aws-sdk/credential-provider-node")
  const { expiration, ...keys } = await defaultProvider(auth.profile === undefined ? {} : { profile: auth.profile })()
  return { value: keys, until: expiration?.getTime() }
}

/** The keys of an account, and of the role that it takes on, renewed in time. */
export const keysOf = (auth: Auth, region: string, now: () => number): Renewed<Keys> =>
  new Renewed(async () => {
    if (clear(auth.webIdentityToken) !== undefined) return assumeWithToken(auth, region)
    const found = await own(auth)
    return auth.roleArn === undefined ? found : assume(auth, found.value, region, now())
  })
