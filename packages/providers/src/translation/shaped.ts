/**
 * Answers of an API that says what a dialect says in words of its own: put into the dialect's before anybody reads them.
 */
import type { Hearing } from "../exchange/hearing.js"
import type { Shape } from "../protocols/protocol.js"

/** Hears an API's answers as those of the dialect that `hearing` reads. */
export const shaped = (hearing: Hearing, shape: Shape | undefined): Hearing => {
  if (shape === undefined) return hearing
  return {
    ...hearing,
    isSame: false,
    ...(shape.ofList === undefined ? {} : { ofList: shape.ofList }),
    answer: (body) => hearing.answer(shape.answer(body)),
    stream: () => {
      const stream = hearing.stream()
      const shapeEvent = shape.events()
      return {
        read: ({ json }, tell) => {
          const said = shapeEvent(json)
          return stream.read({ data: JSON.stringify(said), json: said }, tell)
        },
        end: (tell, isWhole) => stream.end(tell, isWhole)
      }
    }
  }
}
