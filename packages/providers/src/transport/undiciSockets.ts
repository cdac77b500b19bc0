/**
 * The sockets that undici opens for a transport: how they connect, which had served before, and that all of them go.
 */
import { readFileSync } from "node:fs"
import type { Socket } from "node:net"
import type { Tls } from "@switchyard/core/Deployment"
import { buildConnector, errors } from "undici"
import { skipContinue } from "./interimAnswers.js"
import { transportErrorOf } from "./transportErrors.js"

/** What `NODE_EXTRA_CA_CERTS` names: Node adds it to its own list, but not to a list that it is given. */
const extraCertificates = (): ReadonlyArray<Buffer> => {
  const file = process.env.NODE_EXTRA_CA_CERTS
  try {
    return file === undefined || file === "" ? [] : [readFileSync(file)]
  } catch {
    // Node itself has warned about it.
    return []
  }
}

/** What Node's TLS is told. Throws where the file of certificates cannot be read. */
export const secureOptions = (
  tls: Tls | undefined
): { readonly rejectUnauthorized?: boolean; readonly ca?: Array<Buffer> } => ({
  ...(tls?.verify === false ? { rejectUnauthorized: false } : {}),
  ...(tls?.ca === undefined ? {} : { ca: [readFileSync(tls.ca), ...extraCertificates()] })
})

/** Every socket of one transport. */
export class UndiciSockets {
  private readonly open = new Set<Socket>()
  /** Errors of sockets that had answered a request before. */
  private readonly stale = new WeakSet<Error>()

  /**
   * undici's connector with four things more. Its sockets are remembered: an agent forgets those that are still
   * connecting, and pools that it has replaced. Its timeout is exact: undici's own is off by up to a second. Errors of
   * sockets that had answered before are known as such. And `100 Continue` breaks nothing.
   */
  connector(timeout: number, secure: buildConnector.BuildOptions): buildConnector.connector {
    const connect = buildConnector({ timeout, ...secure }) as (
      ...args: Parameters<buildConnector.connector>
    ) => Socket | undefined
    return (options, callback) => {
      let bytesBefore = 0
      const socket = connect(options, (...result) => {
        socket?.setTimeout(0, giveUp)
        bytesBefore = socket?.bytesRead ?? 0
        callback(...result)
        if (socket !== undefined) skipContinue(socket)
      })
      const giveUp = () => void socket?.destroy(new errors.ConnectTimeoutError("connect timeout"))
      if (socket === undefined) return
      socket.setTimeout(timeout, giveUp)
      this.open.add(socket)
      socket.on("error", (error) => {
        if (socket.bytesRead > bytesBefore) this.stale.add(error)
      })
      socket.once("close", () => this.open.delete(socket))
    }
  }

  /** Whether nothing but the age of a connection has failed. */
  isStale(error: Error): boolean {
    if (transportErrorOf(error, true).kind !== "reset") return false
    return this.stale.has(error) || (error instanceof errors.SocketError && (error.socket?.bytesRead ?? 0) > 0)
  }

  /** Destroys all, also those that are still connecting; done when they are gone. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.open].map(
        (socket) =>
          new Promise<void>((resolve) => {
            socket.once("close", () => resolve())
            socket.destroy()
          })
      )
    )
  }
}
