/**
 * LiteLLM files as they are: what is said of one, line by line, and a gateway that serves it before an upstream which notes
 * what it is asked.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { LoadedConfig } from "@switchyard/gateway/ConfigFile"
import * as Gateway from "@switchyard/gateway/Gateway"
import { Effect, Either } from "effect"
import { loadFiles } from "./configFiles.js"

export type Env = Readonly<Record<string, string>>

/** What reading a file came to. */
export interface Read {
  readonly config: LoadedConfig["config"] | undefined
  /** `line severity path: message`, and what was probably meant. */
  readonly said: ReadonlyArray<string>
  readonly errors: ReadonlyArray<string>
  readonly warnings: ReadonlyArray<string>
}

/** Reads a file. `unset` as for `ConfigFile.load`: `error` is what a server does, `note` what a check elsewhere does. */
export const readText = (text: string, env: Env = {}, unset: "error" | "note" = "error"): Effect.Effect<Read> =>
  Effect.map(loadFiles({ "config.yaml": text }, env, unset), (read) => {
    const problems = Either.isRight(read) ? read.right.problems : read.left.error.problems
    const of = (wanted?: string) =>
      problems
        .filter(({ severity }) => wanted === undefined || severity === wanted)
        .map(({ line, message, path, severity, suggestion }) => {
          const meant = suggestion === undefined ? "" : ` → ${suggestion}`
          return `${line} ${severity} ${path}: ${message}${meant}`
        })
    return {
      config: Either.isRight(read) ? read.right.config : undefined,
      said: of(),
      errors: of("error"),
      warnings: of("warning")
    }
  })

/** `group=provider:model@base URL` of every deployment. */
export const deploymentsOf = ({ config }: Read): ReadonlyArray<string> =>
  (config?.router.deployments ?? []).map(
    ({ baseUrl, group, model, provider }) => `${group}=${provider}:${model}@${baseUrl}`
  )

/** One request that an upstream got. */
export interface Asked {
  readonly path: string
  readonly model: unknown
  readonly key: string | undefined
}

const answer = (model: unknown) =>
  JSON.stringify({
    id: "a",
    object: "chat.completion",
    created: 1,
    model,
    choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
  })

/** Answers every path, until the scope closes; `asked` is its journal. */
export const anyPath = Effect.map(
  Effect.acquireRelease(
    Effect.async<{ readonly server: ReturnType<typeof createServer>; readonly asked: Array<Asked> }>((resume) => {
      const asked: Array<Asked> = []
      const server = createServer((request, response) => {
        let text = ""
        request.on("data", (chunk) => {
          text += chunk
        })
        request.on("end", () => {
          const { model } = JSON.parse(text || "{}") as { readonly model?: unknown }
          const key = request.headers["api-key"] ?? request.headers.authorization
          asked.push({ path: request.url ?? "", model, key: typeof key === "string" ? key : undefined })
          response.writeHead(200, { "content-type": "application/json" }).end(answer(model))
        })
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ server, asked })))
    }),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  ),
  ({ asked, server }) => ({ asked, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
)

/** Serves what was read, on a free port. */
export const serve = ({ config, errors }: Read) =>
  config === undefined
    ? Effect.dieMessage(errors.join("\n"))
    : Effect.orDie(Gateway.make({ config: { ...config, server: { ...config.server, port: 0 } } }))
