/**
 * Colours, where a person looks.
 */

/** What a terminal can do. */
export interface Terminal {
  readonly isTTY?: boolean
}

/** Whether to colour: a terminal, and nobody who set `NO_COLOR`. */
export const hasColours = (
  terminal: Terminal,
  env: Readonly<Record<string, string | undefined>> = process.env
): boolean => terminal.isTTY === true && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb"

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

/** A colour or weight. */
export type Style = keyof typeof codes

/** Puts text in a style; the identity where colours are off. */
export type Paint = (style: Style, text: string) => string

/** Paints, or leaves text as it is. */
export const painter = (colours: boolean): Paint =>
  colours ? (style, text) => `\u001b[${codes[style]}m${text}\u001b[0m` : (_style, text) => text
