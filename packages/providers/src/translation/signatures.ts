/**
 * Refusals of reasoning that another account, or another provider, has signed or encrypted.
 */

/** Characters of a refusal that are read. */
const maxRefusal = 16_384

/** As Anthropic, Google and OpenAI say it. */
const foreign =
  /invalid [`'"]?(?:signature|data)[`'"]? in [`'"]?(?:redacted_)?thinking|thinking\.signature|(?:corrupted|invalid) thought[ _]?signature|thought[ _]?signature is (?:not valid|invalid)|invalid_encrypted_content|encrypted content\b.{0,400}?could not be (?:verified|decrypted)/is

/** Whether an answer refuses state that it cannot read. */
export const refusesSignatures = (status: number, body: string): boolean =>
  status === 400 && foreign.test(body.slice(0, maxRefusal))
