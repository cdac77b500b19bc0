import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import * as Server from "@switchyard/gateway/Server"
import { Effect, Random } from "effect"

const tried = (host: string, port: number): Effect.Effect<number, Server.ListenError> =>
  Effect.async((resume) => {
    const server = createServer()
    server.once("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(new Server.ListenError({ host, port, code: error.code ?? "unknown", detail: error.message })))
    )
    server.listen({ host, port, exclusive: true }, () => {
      const { port: taken } = server.address() as AddressInfo
      server.close(() => resume(Effect.succeed(taken)))
    })
  })

/** Ports of which systems take none for a connection that goes out: what is free there is free a moment later, too. */
const quiet = [20_000, 32_000] as const

/**
 * The port that is meant, tried before anybody else listens on it: so 0 is one port for all, and one that is taken is told once.
 */
export const fixed = (host: string, port: number): Effect.Effect<number, Server.ListenError> =>
  port !== 0
    ? tried(host, port)
    : Effect.flatMap(Random.nextIntBetween(...quiet), (any) => tried(host, any)).pipe(
        Effect.retry({ times: 20 }),
        Effect.orElse(() => tried(host, 0))
      )
