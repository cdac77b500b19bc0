// @ts-check
/**
 * Two layers of one's own between those of the router, for `stack: ./stack.mjs` in a configuration: words that no provider
 * shall read are blotted out before any group is asked, and every attempt leaves a line, behind the breaker, so that what it
 * turned away leaves none.
 *
 * @type {import("@switchyard/gateway/StackKit").MakeStack}
 */
export default (standard, { Concern, Schema, Service }) =>
  standard
    .insertBefore(
      "fallback",
      Concern.request({
        name: "redaction",
        about: "Blots out words that no provider shall read",
        options: Schema.Struct({ words: Schema.optional(Schema.Array(Schema.String)) }),
        make: ({ words = [] }) => Service.mapInput((request) => ({ ...request, body: blotted(request.body, words) }))
      })
    )
    .insertAfter(
      "cooldown",
      Concern.attempt({
        name: "attemptLog",
        about: "Writes a line about every attempt",
        make: () =>
          Service.bracketAttempt({
            begin: (_, at) => at,
            end: (begun, outcome, at, attempt) =>
              console.error(`attempt ${attempt.deployment}: ${outcome._tag} in ${Math.round(at - begun)} ms`)
          })
      })
    )

/** @type {<A>(body: A, words: ReadonlyArray<string>) => A} */
const blotted = (body, words) =>
  words.length === 0
    ? body
    : JSON.parse(JSON.stringify(body), (_, value) =>
        typeof value === "string"
          ? words.reduce((text, word) => text.replaceAll(word, "█".repeat(word.length)), value)
          : value
      )
