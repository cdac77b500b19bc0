/**
 * The ids in the answers of Responses, sealed on their way out: the response's own, those of the response and the conversation that it
 * goes on from, and of files that it cites. Nothing else of an answer is touched.
 */
import type { DeploymentId } from "@switchyard/core/Deployment"
import type { Journal } from "@switchyard/core/Journal"
import { isJsonObject, type JsonObject } from "@switchyard/core/Json"
import type { Sealer } from "./SealedIds.js"
import { type Exchanges, inBytes, inText } from "./writtenIds.js"

const fileId = /"file_id"\s*:\s*"(file[-_][^"\\]+)"/g

/** Who made a response that came from elsewhere than an attempt of its own request: a cache. */
export type Remembered = (id: string) => DeploymentId | undefined

/** The ids of one answer. */
export class ResponseIds {
  private readonly known = new Map<string, string>()
  private deployment: DeploymentId | undefined

  constructor(
    private readonly sealer: Sealer,
    private readonly owner: string,
    /** Ids that the request brought, as its caller knows them. */
    private readonly brought: Exchanges,
    private readonly remembered: Remembered = () => undefined
  ) {}

  /** A whole answer as it was written, with sealed ids. */
  whole(body: JsonObject, written: string | Uint8Array, journal: Journal): string | Uint8Array {
    const deployment = this.deploymentOf(body, journal)
    if (typeof written !== "string") {
      const text = Buffer.from(written.buffer, written.byteOffset, written.byteLength)
      if (text.includes('"file_id"')) return this.inText(body, text.toString(), deployment)
      return inBytes(written, this.exchanges(body, deployment))
    }
    return this.inText(body, written, deployment)
  }

  /** A kept answer, or what is said of one, with sealed ids. */
  tree(body: JsonObject, deployment: DeploymentId, isError: boolean): JsonObject {
    const text = JSON.stringify(body)
    const sealed = isError ? this.inError(text) : this.inText(body, text, deployment)
    return sealed === text ? body : (JSON.parse(sealed) as JsonObject)
  }

  /** An event of a stream, or an error in one, as it was written, with sealed ids. */
  event(json: JsonObject, data: string, journal: Journal): string {
    const { response } = json
    if (isJsonObject(response)) return this.inText(response, data, this.deploymentOf(response, journal))
    return this.brought.size > 0 || data.includes('"file_id"')
      ? this.inText({}, data, journal.answered?.deployment ?? this.deployment)
      : data
  }

  /** The same for whoever writes events, of a request whose way is known by the time that they come. */
  sealing(way: () => Journal | undefined): (json: JsonObject, data: string) => string {
    return (json, data) => {
      const journal = way()
      return journal === undefined ? data : this.event(json, data, journal)
    }
  }

  /** What a provider says of ids that the request brought, in its caller's own: errors quote them amid other words. */
  inError(text: string): string {
    let written = text
    for (const [id, sealed] of this.brought) {
      if (!sealed.includes(id)) written = written.replaceAll(id, sealed)
    }
    return written
  }

  private deploymentOf({ id }: JsonObject, journal: Journal): DeploymentId | undefined {
    const made = journal.answered?.deployment ?? (typeof id === "string" ? this.remembered(id) : undefined)
    if (made !== this.deployment) this.known.clear()
    this.deployment = made
    return made
  }

  private inText(body: JsonObject, text: string, deployment: DeploymentId | undefined): string {
    const exchanges = new Map(this.exchanges(body, deployment))
    if (text.includes('"file_id"')) {
      for (const [, id = ""] of text.matchAll(fileId)) exchanges.set(id, this.sealed(id, deployment))
    }
    return inText(text, exchanges)
  }

  private exchanges(body: JsonObject, deployment: DeploymentId | undefined): Exchanges {
    const exchanges = new Map(this.brought)
    const { conversation, id, previous_response_id: previous } = body
    const add = (value: unknown): void => {
      if (typeof value === "string" && !exchanges.has(value)) exchanges.set(value, this.sealed(value, deployment))
    }
    add(id)
    add(previous)
    add(isJsonObject(conversation) ? conversation.id : undefined)
    return exchanges
  }

  private sealed(id: string, deployment: DeploymentId | undefined): string {
    if (deployment === undefined) return this.brought.get(id) ?? id
    const known = this.brought.get(id) ?? this.known.get(id)
    if (known !== undefined) return known
    const sealed = this.sealer.seal({ deployment, id }, this.owner)
    this.known.set(id, sealed)
    return sealed
  }
}
