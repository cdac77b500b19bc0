/**
 * What goes to a provider as it is: to a path below the address of its API, in the deployment's name.
 */
import type { Attempt } from "@switchyard/core/Attempt"
import { LlmError } from "@switchyard/core/LlmError"
import type { LlmResponse } from "@switchyard/core/LlmResponse"
import type { Passage } from "@switchyard/core/Passage"
import type * as Service from "@switchyard/core/Service"
import { toHeaders } from "@switchyard/core/TraceContext"
import { bodyOf, type Upload } from "@switchyard/core/Upload"
import { type Clock, type Context, Effect } from "effect"
import type { Accounts, Showing } from "../auth/accounts.js"
import { type Form, formOf, guarded } from "../media/form.js"
import type { Target } from "../protocols/target.js"
import type { Transport, TransportRequest } from "../transport/Transport.js"
import { PassageExchange } from "./passageExchange.js"

/** What sends them. */
export interface PassingDeps {
  readonly transport: Context.Tag.Service<Transport>
  readonly accounts: Accounts
  /** Ms. */
  readonly connectTimeout: number
}

const nowhere = (attempt: Attempt): LlmError =>
  new LlmError({
    reason: "Unavailable",
    description: "the provider's API has no place for files, batches and what is passed through",
    code: "no_operation",
    provider: attempt.provider,
    deployment: attempt.deployment
  })

/** By what the parts of forms are told apart: nobody who wrote one of them knows it. */
const boundaryOf = (): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return `switchyard${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`
}

const formFor = (upload: Upload | undefined): Form | undefined =>
  upload === undefined ? undefined : formOf(upload, bodyOf(upload.parts), boundaryOf())

/** The headers of the passage, with the deployment's own above them. */
const headersFor = (
  { headers, body }: Passage,
  target: Target,
  form: Form | undefined,
  attempt: Attempt
): Record<string, string> => {
  const { accept: _, "content-type": type, ...own } = target.plain.headers
  const trace = attempt.trace ?? attempt.request.trace
  return {
    accept: "*/*",
    ...headers,
    ...own,
    ...(trace === undefined ? {} : toHeaders(trace)),
    ...(form !== undefined
      ? { "content-type": form.contentType, "content-length": String(form.size) }
      : body === undefined
        ? {}
        : { "content-type": headers["content-type"] ?? type ?? "application/json" })
  }
}

/** Sends a passage. */
export const pass = (
  { accounts, connectTimeout, transport }: PassingDeps,
  passage: Passage,
  attempt: Attempt,
  target: Target,
  clock: Clock.Clock
): Service.Call => {
  const path = target.at?.(passage.path, passage.query)
  if (path === undefined) return Effect.fail(nowhere(attempt))
  const form = formFor(attempt.request.upload)
  const headers = headersFor(passage, target, form, attempt)
  if (form === undefined && passage.body === undefined) delete headers["content-type"]
  const whole: Pick<TransportRequest, "origin" | "path"> & { readonly headers: Record<string, string> } = {
    origin: target.origin,
    path,
    headers
  }
  const sent = (showing?: Showing): Service.Call =>
    Effect.async<LlmResponse, LlmError>((resume) => {
      const secrets = showing === undefined ? target.plain.secrets : [...showing.secrets, ...target.plain.secrets]
      const exchange = new PassageExchange(attempt, clock, secrets, resume)
      attempt.sent = true
      const body = form === undefined ? (passage.body ?? "") : guarded(form, (error) => exchange.fail(error))
      exchange.runsOn(
        transport.send(
          {
            ...whole,
            headers: showing === undefined ? headers : { ...headers, ...showing.headers },
            method: passage.method,
            body,
            connectTimeout: attempt.connectTimeout ?? connectTimeout,
            tls: attempt.target.tls,
            caller: attempt.request.caller
          },
          exchange
        )
      )
      return Effect.sync(() => exchange.abort())
    })
  if (target.cloud === undefined) return sent()
  const body = typeof passage.body === "string" ? passage.body : ""
  return Effect.flatMap(accounts.show(target.cloud, attempt.target, { ...whole, method: "POST", body }, clock), sent)
}
