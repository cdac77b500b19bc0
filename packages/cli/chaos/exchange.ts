/** One HTTP exchange as a client sees it, down to whether its end was an end. */
import { Agent, request } from "node:http"

/** What to send, and how to behave meanwhile. */
export interface Sending {
  readonly path: string
  readonly body: string | Buffer
  readonly headers?: Readonly<{ [name: string]: string | number }>
  /** A connection of its own in place of one that is kept. */
  readonly fresh?: boolean
  /** Closes our side once the request is out. */
  readonly halfClose?: boolean
  /** Ms until we leave. */
  readonly leaveAfter?: number
  /** Leaves the answer unread until then. */
  readonly unread?: boolean
}

/** What came of it. */
export interface Observed {
  readonly status: number | undefined
  readonly headers: Readonly<{ [name: string]: string | ReadonlyArray<string> | undefined }>
  readonly text: string
  /** The answer came to its own end: all bytes that were announced, or the last chunk. */
  readonly isComplete: boolean
  /** Why it did not, in Node's code. */
  readonly failure: string | undefined
  /** On a connection that had served a request before. */
  readonly isReused: boolean
  /** We left, as was planned. */
  readonly left: boolean
}

export const masterKey = "sk-chaos-master"

/** Ms that a client waits for the whole answer: well over the deadline of the gateways. */
export const patience = 30_000

/** The failure of a request for which there was no gateway at all. */
export const nobodyListens = "NOBODY_LISTENS"

/** Sends one request. Never rejects. */
export const send = (url: string, sending: Sending, agent: Agent): Promise<Observed> =>
  new Promise((resolve) => {
    const { body, fresh = false, halfClose = false, headers = {}, leaveAfter, path, unread = false } = sending
    const parts: Array<Buffer> = []
    let status: number | undefined
    let answered: Observed["headers"] = {}
    let left = false
    const call = request(`${url}${path}`, {
      method: "POST",
      agent: fresh || halfClose ? false : agent,
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${masterKey}`,
        "content-length": Buffer.byteLength(body),
        ...headers
      }
    })
    const timer = setTimeout(() => {
      left = leaveAfter !== undefined
      call.destroy(left ? undefined : Object.assign(new Error("too late"), { code: "NO_ANSWER_IN_TIME" }))
      done(false, left ? undefined : "NO_ANSWER_IN_TIME")
    }, leaveAfter ?? patience)
    const done = (isComplete: boolean, failure: string | undefined): void => {
      clearTimeout(timer)
      resolve({
        status,
        headers: answered,
        text: Buffer.concat(parts).toString("utf8"),
        isComplete,
        failure,
        isReused: call.reusedSocket,
        left
      })
    }
    call.on("error", (error: NodeJS.ErrnoException) => done(false, error.code ?? error.message))
    call.on("response", (response) => {
      status = response.statusCode
      answered = response.headers
      if (unread) return
      response.on("data", (part: Buffer) => parts.push(part))
      response.on("error", (error: NodeJS.ErrnoException) => done(false, error.code ?? error.message))
      response.on("close", () => done(response.complete, response.complete ? undefined : "CLOSED"))
    })
    if (halfClose) call.on("finish", () => call.socket?.end())
    call.end(body)
  })

/** Connections that are kept, as SDKs do. */
export const makeAgent = (): Agent => new Agent({ keepAlive: true, maxFreeSockets: 32 })
