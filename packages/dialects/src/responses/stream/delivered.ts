import type { Delivered, Joint, StreamEvent } from "@switchyard/core/Dialect"
import { asNumber } from "../../parts/values.js"
import type { Translator } from "../../Translator.js"
import { DeliveredAnswer } from "../../words/continued.js"

/** What was given of a response: as of any answer, and the number of its last event. */
export class DeliveredResponse implements Delivered {
  private readonly inner: DeliveredAnswer
  private number = -1

  constructor(translator: Translator) {
    // The last event holds the whole answer, so all of it is kept.
    this.inner = new DeliveredAnswer(translator, true)
  }

  get text(): string {
    return this.inner.text
  }

  get hasText(): boolean {
    return this.inner.hasText
  }

  get isFixed(): boolean {
    return this.inner.isFixed
  }

  read(event: StreamEvent): void {
    this.number = asNumber(event.json.sequence_number) ?? this.number + 1
    this.inner.read(event)
  }

  joint(repeated: string): Joint | undefined {
    const joint = this.inner.joint(repeated)
    return joint === undefined ? undefined : new Renumbered(joint, this.number)
  }
}

/** Counts on from the events that were given. */
class Renumbered implements Joint {
  constructor(
    private readonly inner: Joint,
    private number: number
  ) {}

  get isDone(): boolean {
    return this.inner.isDone
  }

  take(event: StreamEvent): ReadonlyArray<StreamEvent> | undefined {
    return this.inner.take(event)?.map((one) => {
      this.number++
      const json = { ...one.json, sequence_number: this.number }
      return { ...one, json, data: JSON.stringify(json) }
    })
  }
}
