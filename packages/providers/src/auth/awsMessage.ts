/** A message of Amazon's event streams. */
export interface AwsMessage {
  readonly headers: Readonly<Record<string, { readonly value: unknown }>>
  readonly body: Uint8Array
}

/** Takes one message out of its bytes; throws where its checksums are not right. */
export type AwsDecoder = (bytes: Uint8Array) => AwsMessage
