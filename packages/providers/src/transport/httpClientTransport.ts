/**
 * The transport over any `HttpClient` of `@effect/platform`: a fiber per request that pushes what it reads.
 */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { Cause, Chunk, Effect, Fiber, FiberId, Runtime, type Scope, Stream } from "effect"
import { closedError, diedError, transportErrorOf } from "./transportErrors.js"
import {
  type BodySource,
  TransportError,
  type TransportHandle,
  type TransportHandlers,
  type TransportRequest
} from "./wire.js"

/** Up to this size a body is sent in one piece: `fetch` says the length of no stream, and some servers want one. */
const wholeBytes = 8 * 1024 * 1024

const collected = async (source: BodySource): Promise<Uint8Array> => {
  const whole = new Uint8Array(source.size)
  let at = 0
  for await (const chunk of source) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

/** A file that cannot be read fails here, too; whoever made the source has told its caller why. */
const unreadable = (error: unknown): TransportError =>
  new TransportError({ kind: "reset", ...(error instanceof Error ? {} : { code: "unreadable" }) })

const sourceBody = (source: BodySource, type: string | undefined): Effect.Effect<HttpBody.HttpBody, TransportError> =>
  source.size <= wholeBytes
    ? Effect.map(Effect.tryPromise({ try: () => collected(source), catch: unreadable }), (bytes) =>
        HttpBody.uint8Array(bytes, type)
      )
    : Effect.succeed(
        HttpBody.stream(
          Stream.fromAsyncIterable(source, (error) => error),
          type,
          source.size
        )
      )

const bodyOf = ({ body, headers }: TransportRequest): Effect.Effect<HttpBody.HttpBody, TransportError> => {
  const type = headers["content-type"]
  if (typeof body === "object" && "size" in body) return sourceBody(body, type)
  if (body.length === 0) return Effect.succeed(HttpBody.empty)
  return Effect.succeed(typeof body === "string" ? HttpBody.text(body, type) : HttpBody.uint8Array(body, type))
}

/** Where it died, and of what kind of error: the words may quote headers. */
const placesOf = (cause: Cause.Cause<unknown>): string => {
  const defect: unknown = Cause.squash(cause)
  const frames = defect instanceof Error ? (defect.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)) : []
  return [defect instanceof Error ? defect.name : `a value of type ${typeof defect}`, ...frames].join("\n")
}

/** A client whose requests are aborted with their scope, wherever they stand. */
type ScopedClient = HttpClient.HttpClient.With<HttpClientError, Scope.Scope>

class HttpClientExchange implements TransportHandle {
  private fiber: Fiber.RuntimeFiber<void> | undefined
  private over = false
  private aborted = false
  private paused = false
  private wake: ((effect: Effect.Effect<void>) => void) | undefined

  constructor(
    private readonly client: ScopedClient,
    private readonly request: TransportRequest,
    private readonly handlers: TransportHandlers
  ) {}

  /** Sends the request and pushes the answer. Succeeds however that goes; interrupted by `abort` and by the layer's end. */
  get run(): Effect.Effect<void> {
    let connected = false
    const { request } = this
    return Effect.flatMap(bodyOf(request), (body) =>
      this.client.execute(
        HttpClientRequest.make(request.method)(request.origin + request.path, { headers: request.headers, body })
      )
    ).pipe(
      Effect.flatMap((response) => {
        connected = true
        if (this.over) return Effect.void
        this.handlers.onHeaders(response.status, response.headers)
        return Stream.runForEachChunk(
          Stream.catchTag(response.stream, "ResponseError", (error) =>
            error.reason === "EmptyBody" ? Stream.empty : Stream.fail(error)
          ),
          (chunks) => this.push(chunks)
        )
      }),
      Effect.matchEffect({
        onFailure: (error) =>
          Effect.sync(() =>
            this.end(() =>
              this.handlers.onError(error instanceof TransportError ? error : transportErrorOf(error, connected))
            )
          ),
        onSuccess: () => Effect.sync(() => this.end(() => this.handlers.onEnd()))
      }),
      Effect.scoped,
      Effect.onError((cause) => {
        if (!Cause.isDie(cause)) return Effect.sync(() => this.end(() => this.handlers.onError(closedError())))
        return Effect.ensuring(
          Effect.logError("the HTTP client died", placesOf(cause)),
          Effect.sync(() => this.end(() => this.handlers.onError(diedError(connected))))
        )
      })
    )
  }

  /** Told once, when the request is on its way; it may have been aborted by then. */
  runsOn(fiber: Fiber.RuntimeFiber<void>): void {
    this.fiber = fiber
    if (this.aborted) fiber.unsafeInterruptAsFork(FiberId.none)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    const { wake } = this
    this.wake = undefined
    wake?.(Effect.void)
  }

  abort(): void {
    if (this.over) return
    this.over = true
    this.aborted = true
    this.fiber?.unsafeInterruptAsFork(FiberId.none)
  }

  private push(chunks: Chunk.Chunk<Uint8Array>): Effect.Effect<void> {
    for (const chunk of Chunk.toReadonlyArray(chunks)) if (!this.over) this.handlers.onData(chunk)
    if (!this.paused || this.over) return Effect.void
    return Effect.async<void>((resume) => {
      if (this.paused) this.wake = resume
      else resume(Effect.void)
    })
  }

  private end(tell: () => void): void {
    if (this.over) return
    this.over = true
    tell()
  }
}

/** An `HttpClient` as a transport, and the requests that it has in flight. */
export class HttpClientTransport {
  private readonly fibers = new Set<Fiber.RuntimeFiber<void>>()
  private readonly client: ScopedClient

  constructor(
    client: HttpClient.HttpClient,
    private readonly runtime: Runtime.Runtime<never>
  ) {
    // Its own spans would hang outside the request, and its `traceparent` would replace the attempt's.
    this.client = HttpClient.withTracerDisabledWhen(HttpClient.withScope(client), () => true)
  }

  /** See `Transport.send`. */
  readonly send = (request: TransportRequest, handlers: TransportHandlers): TransportHandle => {
    const exchange = new HttpClientExchange(this.client, request, handlers)
    const fiber = Runtime.runFork(this.runtime)(exchange.run)
    exchange.runsOn(fiber)
    this.fibers.add(fiber)
    fiber.addObserver(() => this.fibers.delete(fiber))
    return exchange
  }

  /** Interrupts what is in flight; done when it is over. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => Fiber.interruptAll([...this.fibers]))
}
