import type { Socket } from "node:net"

/** As much of undici's parser as is touched. */
interface Parser {
  onHeadersComplete: (status: number, ...more: ReadonlyArray<boolean>) => number
}

const isParser = (value: unknown): value is Parser =>
  typeof value === "object" && value !== null && typeof (value as Partial<Parser>).onHeadersComplete === "function"

const parserOf = (socket: Socket): Parser | undefined => {
  const key = Object.getOwnPropertySymbols(socket).find(({ description }) => description === "parser")
  const parser: unknown = key === undefined ? undefined : (socket as unknown as Record<symbol, unknown>)[key]
  return isParser(parser) ? parser : undefined
}

/**
 * Lets a connection live when a server sends `100 Continue` without being asked, as some do before every answer. undici skips
 * every interim answer (RFC 9110, 15.2) but this one, on which it closes; so its parser is told of another that means as
 * little. Where undici looks different inside, nothing is changed. Call it once undici knows of the connection.
 */
export const skipContinue = (socket: Socket): void => {
  const parser = parserOf(socket)
  if (parser === undefined) return
  const { onHeadersComplete } = parser
  parser.onHeadersComplete = (status, ...more) => onHeadersComplete.call(parser, status === 100 ? 103 : status, ...more)
}
