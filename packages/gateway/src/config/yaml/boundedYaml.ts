/**
 * Parses a YAML text within bounds: a file that is no configuration is refused in about a second, however large and however broken
 * it is. The parser itself reads on to the end of any text, and tells of every mistake in it.
 */
import { Composer, type Document, Lexer, LineCounter, type ParseOptions, Parser, type SchemaOptions } from "yaml"

/** Words, marks and line ends in one file: some ten for each of the values that it may hold. */
const maxTokens = 1_000_000

/** Mistakes of the text itself that are told of; what follows the last of them is not read. */
export const maxMistakes = 100

/** A mistake, and where it stands. */
export interface Mistake {
  readonly code: string
  readonly message: string
  readonly pos: readonly [number, number]
}

/** A text that was parsed. */
export interface Parsed {
  /** What was read; undefined where reading was given up, or nothing stands in the text. */
  readonly document: Document.Parsed | undefined
  readonly errors: ReadonlyArray<Mistake>
  readonly warnings: ReadonlyArray<Mistake>
  readonly lines: LineCounter
  /** Why reading was given up, in words, and where; undefined where it was not. */
  readonly givenUp: { readonly message: string; readonly at: number } | undefined
}

class Enough extends Error {
  constructor(
    message: string,
    /** Where reading was given up. */
    readonly at = 0
  ) {
    super(message)
  }
}

/** Objects and lists in each other in one file. No configuration needs a tenth of it; the parser bears some hundreds. */
export const maxDepth = 100

/** Open brackets at which nothing more is read. */
const maxOpen = 5000

/** Characters of a text: a bundle of certificates may have some 200,000. */
export const maxText = 262_144

/** Characters of a text as it is written; each may be an escape. */
const maxWritten = 6 * maxText

/** What the lexer adds to a text. */
const added: ReadonlySet<string> = new Set(["\u0002", "\u0018", "\u001f"])

const tooManyTokens = `more than ${maxTokens.toLocaleString("en-US")} words and marks: no configuration is as large`
const tooManyMistakes = `more than ${maxMistakes} mistakes: what follows was not read`

function* tokensOf(text: string, lines: LineCounter) {
  const parser = new Parser(lines.addNewLine)
  lines.addNewLine(0)
  let count = 0
  let mistakes = 0
  let open = 0
  let deepest = 0
  let at = 0
  for (const lexeme of new Lexer().lex(text)) {
    if (++count > maxTokens) throw new Enough(tooManyTokens)
    if (lexeme.length > maxWritten && lexeme.trim() !== "")
      throw new Enough(`a text of more than ${maxText} characters`, at)
    if (lexeme === "[" || lexeme === "{") {
      open++
      if (open === maxDepth + 2) deepest = at
      if (open > maxOpen) throw new Enough(`nested deeper than ${maxDepth} levels`, deepest)
    } else if (lexeme === "]" || lexeme === "}") open--
    if (!added.has(lexeme)) at += lexeme.length
    for (const token of parser.next(lexeme)) {
      if (token.type === "error" && ++mistakes > maxMistakes) throw new Enough(tooManyMistakes)
      yield token
    }
  }
  yield* parser.end()
}

/** Has `told` called for each mistake, whose throw ends the reading. The composer keeps what it calls to itself. */
const watched = (composer: Composer, told: () => void): Composer => {
  const own: unknown = Reflect.get(composer, "onError")
  if (typeof own === "function") {
    Reflect.set(composer, "onError", (...mistake: ReadonlyArray<unknown>) => {
      Reflect.apply(own, composer, mistake)
      told()
    })
  }
  return composer
}

const noted = (composer: Composer, name: "errors" | "warnings"): ReadonlyArray<Mistake> => {
  const found: unknown = Reflect.get(composer, name)
  return Array.isArray(found) ? found : []
}

/** Parses a text. Throws what the parser throws, where that loses its way. */
export const parse = (text: string, options: ParseOptions & SchemaOptions & { readonly merge: boolean }): Parsed => {
  const lines = new LineCounter()
  let count = 0
  const composer = watched(new Composer({ ...options, prettyErrors: false, uniqueKeys: false }), () => {
    if (++count > maxMistakes) throw new Enough(tooManyMistakes)
  })
  let document: Document.Parsed | undefined
  try {
    for (const one of composer.compose(tokensOf(text, lines), true, text.length)) {
      if (document === undefined) document = one
      else {
        const second: Mistake = {
          code: "MULTIPLE_DOCS",
          message: "a second document",
          pos: [one.range[0], one.range[1]]
        }
        return {
          document,
          errors: [...document.errors, second],
          warnings: document.warnings,
          lines,
          givenUp: undefined
        }
      }
    }
  } catch (error) {
    if (!(error instanceof Enough)) throw error
    const of = { errors: noted(composer, "errors"), warnings: noted(composer, "warnings") }
    return { document: undefined, ...of, lines, givenUp: error }
  }
  return { document, errors: document?.errors ?? [], warnings: document?.warnings ?? [], lines, givenUp: undefined }
}
