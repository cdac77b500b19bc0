/** A text as JSON; undefined when it is none. */
export const parse = (data: string): unknown => {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}
