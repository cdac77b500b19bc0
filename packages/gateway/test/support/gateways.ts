/**
 * A running gateway before upstreams, requests to it, and the proof that it holds nothing once they are over.
 */
import { assert } from "@effect/vitest"
import type { DeploymentConfig } from "@switchyard/core/Deployment"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as GatewayConfig from "@switchyard/gateway/GatewayConfig"
import { DeploymentRegistry } from "@switchyard/router/DeploymentRegistry"
import { DeploymentStats } from "@switchyard/router/DeploymentStats"
import { Context, Effect, Either, Option, type Scope } from "effect"

export const masterKey = "sk-master-4be1f0c6"
/** A key of the upstreams, which no client may ever see. */
export const upstreamKey = "sk-upstream-91d7a0e3"

/** Anything that answers OpenAI's protocol under a URL with the version. */
export interface Upstream {
  readonly name: string
  readonly url: string
}

type Settings = { readonly server?: GatewayConfig.Server } & Readonly<Record<string, unknown>>

export const deploymentOf = ({ name, url }: Upstream, more: Partial<DeploymentConfig> = {}): DeploymentConfig => ({
  id: name,
  group: "smart",
  model: `${name}-model`,
  baseUrl: url,
  apiKey: upstreamKey,
  ...more
})

export const decode = (settings: object): GatewayConfig.GatewayConfig =>
  Either.getOrThrowWith(GatewayConfig.decode(settings), (error) => error)

/** What processes serve that stand before one upstream together. */
export interface Together {
  /** Of the deployment before the upstream. */
  readonly limits?: Partial<DeploymentConfig> | undefined
  /** Deployments that come after it. */
  readonly besides?: ReadonlyArray<DeploymentConfig> | undefined
  readonly more?: object | undefined
}

/** Their settings, as a file would have them: each failure is told at once, and counts for nothing else. */
export const together = (upstream: Upstream, { besides = [], limits, more }: Together): object => ({
  deployments: [deploymentOf(upstream, limits), ...besides],
  masterKey,
  retry: false,
  cooldown: false,
  ...more,
  server: { port: 0, drainTimeout: "1 second" }
})

/** A gateway on a free port with the master key above. The upstreams form the group `smart`. */
export const start = (
  upstreams: ReadonlyArray<Upstream>,
  settings: Settings = {}
): Effect.Effect<Gateway.Gateway, never, Scope.Scope> =>
  Effect.orDie(
    Effect.suspend(() =>
      Gateway.make({
        config: decode({
          deployments: upstreams.map((upstream) => deploymentOf(upstream)),
          masterKey,
          ...settings,
          server: { port: 0, drainTimeout: "1 second", ...settings.server }
        })
      })
    )
  )

/** An answer, read to its end. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

export const authorized = { authorization: `Bearer ${masterKey}` }

export const messages = [{ role: "user", content: "Hi there" }]

/** Posts JSON, or text as it is, with the master key. */
export const post = (
  { url }: { readonly url: string },
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {}
): Effect.Effect<Answer> =>
  Effect.promise(async (signal) => {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...authorized, ...headers },
      body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
      signal
    })
    return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() }
  })

export const chat = (
  gateway: { readonly url: string },
  body: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {}
): Effect.Effect<Answer> => post(gateway, "/v1/chat/completions", { model: "smart", messages, ...body }, headers)

/** The error object of a body in OpenAI's shape; fails the test when it has another one. */
export const errorIn = (text: string): Readonly<Record<string, unknown>> & { readonly code: string } => {
  const parsed: unknown = JSON.parse(text)
  const { error } = parsed as { readonly error?: Readonly<Record<string, unknown>> }
  if (typeof error !== "object" || error === null) throw new Error(`no error object in ${text.slice(0, 500)}`)
  assert.isString(error.message)
  assert.isAbove(String(error.message).length, 0)
  assert.isString(error.type)
  assert.isTrue(error.param === null || typeof error.param === "string", "param")
  assert.isString(error.code)
  return error as Readonly<Record<string, unknown>> & { readonly code: string }
}

/** Asserts an error: status, code, OpenAI's shape, and that no client tries it again, unless waiting helps. */
export const assertError = (
  { headers, status, text }: Pick<Answer, "headers" | "status" | "text">,
  expected: { readonly status: number; readonly code: string; readonly passes?: boolean }
): void => {
  assert.strictEqual(status, expected.status, text.slice(0, 500))
  assert.strictEqual(errorIn(text).code, expected.code)
  assert.strictEqual(headers["x-should-retry"], expected.passes === true ? undefined : "false")
  assert.match(String(headers["content-type"]), /^application\/json/)
}

const tick: Effect.Effect<void> = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Waits until something is so, event by event; dies with what it waited for when it never comes. */
export const eventually = (what: () => string, isSo: () => boolean): Effect.Effect<void> => {
  const wait: Effect.Effect<void> = Effect.suspend(() => (isSo() ? Effect.void : Effect.zipRight(tick, wait)))
  return Effect.flatMap(Effect.timeoutOption(wait, "20 seconds"), (found) =>
    Option.isSome(found) ? Effect.void : Effect.dieMessage(`it never came to be: ${what()}`)
  )
}

/** Attempts under way, by deployment; those at rest are left out. */
export const inFlight = ({ generations }: Gateway.Gateway): Readonly<Record<string, number>> => {
  const { state } = generations.current().tower
  const stats = Context.get(state, DeploymentStats)
  const registry = Context.get(state, DeploymentRegistry)
  return Object.fromEntries(
    registry
      .slots()
      .map((slot) => [slot.deployment.id, stats.of(slot).inFlight] as const)
      .filter(([, count]) => count !== 0)
  )
}

/**
 * Nothing is under way, and no request is held: a generation that is replaced ends only when all of its requests have, so
 * the configuration in force is replaced by itself, and only one generation may be left.
 */
export const holdsNothing = (gateway: Gateway.Gateway): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { generations } = gateway
    yield* eventually(
      () => `attempts under way: ${JSON.stringify(inFlight(gateway))}`,
      () => Object.keys(inFlight(gateway)).length === 0
    )
    yield* Effect.orDie(gateway.reload(generations.current().source))
    yield* eventually(
      () => `${generations.alive()} generations are alive`,
      () => generations.alive() === 1
    )
  })

/** A plain request is answered. */
export const answersWell = (gateway: Gateway.Gateway): Effect.Effect<void> =>
  Effect.map(chat(gateway), ({ status, text }) => {
    assert.strictEqual(status, 200, text.slice(0, 500))
    assert.match(text, /"content":"Hello from /)
  })

/** The gateway is as good as new: it answers, and holds nothing. */
export const isSound = (gateway: Gateway.Gateway): Effect.Effect<void> =>
  Effect.zipRight(answersWell(gateway), holdsNothing(gateway))
