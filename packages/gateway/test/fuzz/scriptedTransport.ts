import type { Headers } from "@switchyard/core/LlmResponse"
import * as Transport from "@switchyard/providers/Transport"
import type { Context } from "effect"

/** How an upstream answers. */
export interface Script {
  readonly status: number
  readonly headers: Headers
  readonly pieces: ReadonlyArray<Uint8Array>
  readonly end: "whole" | "broken"
  /** Pieces that come in one turn. */
  readonly pace: number
}

/** A transport without a network: it notes what is sent, and answers as it is told. */
export class ScriptedTransport {
  readonly sent: Array<Transport.TransportRequest> = []
  /** Answers that have not ended, and were not broken off. */
  open = 0
  script: (request: Transport.TransportRequest) => Script = () => {
    throw new Error("no script")
  }

  readonly service: Context.Tag.Service<Transport.Transport> = {
    send: (request, handlers) => {
      this.sent.push(request)
      const { end, headers, pace, pieces, status } = this.script(request)
      let at = 0
      let isPaused = false
      let isOver = false
      let isDue = false
      const over = (): void => {
        if (isOver) return
        isOver = true
        this.open--
      }
      const soon = (): void => {
        if (isDue) return
        isDue = true
        setImmediate(turn)
      }
      const turn = (): void => {
        isDue = false
        if (isOver || isPaused) return
        for (let count = 0; count < pace && at < pieces.length && !isPaused; count++, at++) {
          if (isOver) return
          handlers.onData(pieces[at] ?? new Uint8Array())
        }
        if (isOver || isPaused) return
        if (at < pieces.length) return soon()
        over()
        if (end === "whole") handlers.onEnd()
        else handlers.onError(new Transport.TransportError({ kind: "reset" }))
      }
      this.open++
      setImmediate(() => {
        if (isOver) return
        handlers.onHeaders(status, headers)
        soon()
      })
      return {
        pause: () => {
          isPaused = true
        },
        resume: () => {
          isPaused = false
          soon()
        },
        abort: over
      }
    }
  }
}
