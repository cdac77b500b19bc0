/**
 * Requests to upstreams that bear what their admission was told, in `x-admission`: its number, and when it was asked for and answered,
 * in ms of the machine's clock.
 */
import * as Transport from "@switchyard/providers/UndiciTransport"
import type { Engine } from "@switchyard/router/Engine"
import { Effect, Fiber, FiberRef, Option } from "effect"

const machineNow = (): number => performance.timeOrigin + performance.now()

const stamp = FiberRef.unsafeMake("")

/** The engine, whose admissions leave a stamp. */
export const stamping = (engine: Engine): Engine => ({
  ...engine,
  usage: {
    ...engine.usage,
    admit: (ask) =>
      Effect.suspend(() => {
        const asked = machineNow()
        return Effect.tap(engine.usage.admit(ask), (answer) =>
          answer._tag === "Admitted" ? FiberRef.set(stamp, `${answer.number} ${asked} ${machineNow()}`) : Effect.void
        )
      })
  }
})

const stampHere = (): string =>
  Option.match(Fiber.getCurrentFiber(), {
    onNone: () => "",
    onSome: (fiber) => (fiber as Fiber.RuntimeFiber<unknown, unknown>).getFiberRef(stamp)
  })

/** The transport whose requests bear the stamp, and other headers. */
export const stampedTransport = (more: Readonly<Record<string, string>>) =>
  Effect.map(Transport.make(), ({ send }) => ({
    send: ((request, handlers) =>
      send(
        { ...request, headers: { ...request.headers, ...more, "x-admission": stampHere() } },
        handlers
      )) satisfies typeof send
  }))

/** The moments of an admission that a request's headers tell. */
export const momentsOf = (headers: Readonly<Record<string, string>>) => {
  const [number = 0, asked = 0, answered = 0] = (headers["x-admission"] ?? "").split(" ").map(Number)
  return { number, asked, answered }
}
