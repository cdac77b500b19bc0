/**
 * Who asks in place of a key: the accounts of clouds, each signed in once for all requests.
 */
import type { Auth, Deployment } from "@switchyard/core/Deployment"
import { LlmError } from "@switchyard/core/LlmError"
import { type Clock, Effect } from "effect"
import { regionOf } from "../protocols/bedrock.js"
import type { Cloud, Env } from "../protocols/protocol.js"
import { projectOf } from "../protocols/vertex.js"
import { type Keys, keysOf, sign, type Unsigned } from "./aws.js"
import { MissingPackage } from "./packages.js"
import type { Renewed } from "./renewed.js"
import { entraTokens, googleTokens, type Token } from "./tokens.js"

/** Milliseconds that signing in may take. */
const maxWait = 10_000

/** What an account adds to a request. */
export interface Showing {
  readonly headers: Readonly<Record<string, string>>
  /** What of it no error may quote. */
  readonly secrets: ReadonlyArray<string>
  /** The account's own project, for paths that need one. */
  readonly project?: string | undefined
}

const noAuth: Auth = {}

const told = (error: unknown): string => {
  const text = error instanceof Error ? error.message : String(error)
  return text.slice(0, 500)
}

/** A sign-in that failed: the deployment's credentials are wrong, or who checks them is not there. */
const failure = ({ id, provider }: Deployment, error: unknown): LlmError => {
  const isMissing = error instanceof MissingPackage
  return new LlmError({
    reason: isMissing ? "Unavailable" : "Authentication",
    description: isMissing ? error.message : "the cloud account could not sign in",
    code: isMissing ? "missing_package" : "credentials",
    ...(isMissing ? {} : { providerMessage: told(error) }),
    provider,
    deployment: id
  })
}

/** The accounts of one base service. */
export class Accounts {
  private readonly tokens = new WeakMap<Deployment, Renewed<Token>>()
  private readonly keys = new WeakMap<Deployment, Renewed<Keys>>()

  constructor(private readonly env: Env) {}

  /** What a deployment's account adds to a request. Fails as `Authentication` when it cannot sign in within 10 seconds. */
  show(cloud: Cloud, deployment: Deployment, request: Unsigned, clock: Clock.Clock): Effect.Effect<Showing, LlmError> {
    const promised = (): Promise<Showing> =>
      cloud === "aws" ? this.signed(deployment, request, clock) : this.borne(cloud, deployment, clock)
    return Effect.tryPromise({ try: promised, catch: (error) => failure(deployment, error) }).pipe(
      Effect.timeoutFail({
        duration: maxWait,
        onTimeout: () => failure(deployment, new Error(`no answer within ${maxWait / 1000} seconds`))
      })
    )
  }

  private async borne(cloud: Cloud, deployment: Deployment, clock: Clock.Clock): Promise<Showing> {
    let tokens = this.tokens.get(deployment)
    if (tokens === undefined) {
      const auth = deployment.auth ?? noAuth
      tokens =
        cloud === "google" ? googleTokens(auth, projectOf(deployment, this.env) === undefined) : entraTokens(auth)
      this.tokens.set(deployment, tokens)
    }
    const { project, token } = await tokens.get(clock.unsafeCurrentTimeMillis())
    return { headers: { authorization: `Bearer ${token}` }, secrets: [token], project }
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
    const headers = await sign(request, { keys, region, service: "bedrock" }, now)
    return { headers, secrets: [keys.secretAccessKey, ...(keys.sessionToken === undefined ? [] : [keys.sessionToken])] }
  }
}
