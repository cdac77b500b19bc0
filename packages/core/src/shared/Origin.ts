/** An origin as browsers send it: `https://app.example.com`, with the port where it is not the usual one. */
export const originOf = (text: string): string | undefined => {
  if (!/^https?:\/\/[^/?#]+\/?$/i.test(text) || !URL.canParse(text)) return undefined
  return new URL(text).origin
}
