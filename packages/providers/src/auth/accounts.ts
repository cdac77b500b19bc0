/**
 * Who asks in place of a key: the accounts of clouds, each signed in once for all requests.
 */
import { type Auth, clear, type Deployment, secretsOf } from "@switchyard/core/Deployment"
import { LlmError } from "@switchyard/core/LlmError"
import { Scrubber } from "@switchyard/core/Secret"
import { type Clock, Effect } from "effect"
import { regionOf, serviceOf } from "../protocols/awsPlaces.js"
import type { Cloud, Env } from "../protocols/protocol.js"
import { projectOf } from "../protocols/vertex.js"
import { maxWait, Unreachable } from "./asked.js"
import { type Keys, sign, type Unsigned } from "./aws.js"
import { keysOf } from "./awsKeys.js"
import { ibmTokens } from "./ibm.js"
import { type OciKey, ociKeys, signOci } from "./ociSigner.js"
import { MissingPackage } from "./packages.js"
import type { Renewed } from "./renewed.js"
import { entraTokens, googleTokens, type Token } from "./tokens.js"

/** What an account adds to a request. */
export interface Showing {
  readonly headers: Readonly<Record<string, string>>
  /** What of it no error may quote. */
  readonly secrets: ReadonlyArray<string>
  /** The account's own project, for paths that need one. */
  readonly project?: string | undefined
  /** Told when the provider refuses what is shown: the next request signs in anew. */
  readonly refused: () => void
}

const noAuth: Auth = {}

const told = (error: unknown, { apiKey, auth }: Deployment): string => {
  const text = error instanceof Error ? error.message : String(error)
  const key = clear(apiKey)
  return new Scrubber([...secretsOf(auth), ...(key === undefined ? [] : [key])]).text(text, 500)
}

/** A sign-in that failed: the deployment's credentials are wrong, or who checks them is not there. */
const failure = (deployment: Deployment, error: unknown): LlmError => {
  const { id, provider } = deployment
  const upstream = { provider, deployment: id }
  if (error instanceof MissingPackage) {
    return new LlmError({
      reason: "Unavailable",
      description: error.message,
      code: "missing_package",
      ...upstream
    })
  }
  const isAway = error instanceof Unreachable
  return new LlmError({
    reason: isAway ? "Unavailable" : "Authentication",
    description: isAway ? "nobody could be asked to sign the cloud account in" : "the cloud account could not sign in",
    code: "credentials",
    providerMessage: told(error, deployment),
    unsent: true,
    ...upstream
  })
}

/** The accounts of one base service. */
export class Accounts {
  private readonly tokens = new WeakMap<Deployment, Renewed<Token>>()
  private readonly keys = new WeakMap<Deployment, Renewed<Keys>>()
  private readonly ociKeys = new WeakMap<Deployment, Renewed<OciKey>>()

  constructor(private readonly env: Env) {}

  /**
   * What a deployment's account adds to a request. Fails as `Authentication` when it is not let in, as `Unavailable` when nobody says
   * anything within 10 seconds.
   */
  show(cloud: Cloud, deployment: Deployment, request: Unsigned, clock: Clock.Clock): Effect.Effect<Showing, LlmError> {
    const promised = (): Promise<Showing> => {
      if (cloud === "aws") return this.signed(deployment, request, clock)
      return cloud === "oci" ? this.signedByOci(deployment, request, clock) : this.borne(cloud, deployment, clock)
    }
    return Effect.tryPromise({ try: promised, catch: (error) => failure(deployment, error) }).pipe(
      Effect.timeoutFail({
        duration: maxWait,
        onTimeout: () => failure(deployment, new Unreachable(`no answer within ${maxWait / 1000} seconds`))
      })
    )
  }

  private async borne(cloud: Cloud, deployment: Deployment, clock: Clock.Clock): Promise<Showing> {
    let tokens = this.tokens.get(deployment)
    if (tokens === undefined) {
      tokens = this.tokensOf(cloud, deployment, clock)
      this.tokens.set(deployment, tokens)
    }
    const held = tokens
    const shown = await held.get(clock.unsafeCurrentTimeMillis())
    const { project, token } = shown
    return {
      headers: { authorization: `Bearer ${token}` },
      secrets: [token],
      project,
      refused: () => held.forget(shown)
    }
  }

  private async signedByOci(deployment: Deployment, request: Unsigned, clock: Clock.Clock): Promise<Showing> {
    const keys = this.ociKeys.get(deployment) ?? ociKeys(deployment.auth ?? noAuth, this.env)
    this.ociKeys.set(deployment, keys)
    const now = clock.unsafeCurrentTimeMillis()
    const key = await keys.get(now)
    const headers = signOci(request, key, now)
    return { headers, secrets: [headers.authorization ?? ""], refused: () => keys.forget(key) }
  }

  private tokensOf(cloud: Cloud, deployment: Deployment, clock: Clock.Clock): Renewed<Token> {
    const auth = deployment.auth ?? noAuth
    switch (cloud) {
      case "google":
        return googleTokens(auth, projectOf(deployment, this.env) === undefined)
      case "ibm":
        return ibmTokens(clear(deployment.apiKey), this.env, () => clock.unsafeCurrentTimeMillis())
      default:
        return entraTokens(auth)
    }
  }

  private async signed(deployment: Deployment, request: Unsigned, clock: Clock.Clock): Promise<Showing> {
    const region = regionOf(deployment, this.env) ?? "us-east-1"
    let renewed = this.keys.get(deployment)
    if (renewed === undefined) {
      renewed = keysOf(deployment.auth ?? noAuth, region, () => clock.unsafeCurrentTimeMillis())
      this.keys.set(deployment, renewed)
    }
    const now = clock.unsafeCurrentTimeMillis()
    const keys = await renewed.get(now)
    const headers = await sign(request, { keys, region, service: serviceOf(deployment) }, now)
    const held = renewed
    return {
      headers,
      secrets: [keys.secretAccessKey, ...(keys.sessionToken === undefined ? [] : [keys.sessionToken])],
      refused: () => held.forget(keys)
    }
  }
}
