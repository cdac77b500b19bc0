import type { IncomingMessage, ServerResponse } from "node:http"

/**
 * Calls `f` once when the response is over, however it ends. A pipelined one that still waits for its turn has no socket
 * yet, and is not told when that socket closes.
 */
export const onceOver = ({ socket }: IncomingMessage, response: ServerResponse, f: () => void): void => {
  if (response.socket !== null) {
    response.once("close", f)
    return
  }
  const end = (): void => {
    response.off("close", end)
    socket.off("close", end)
    f()
  }
  // As many as a client likes to send at once.
  socket.setMaxListeners(0)
  response.once("close", end)
  socket.once("close", end)
}
