/**
 * Where an answer broke off, and how a second one goes on from there, in any dialect that is read and written here.
 */
import type { Delivered, Joint, StreamEvent } from "@switchyard/core/Dialect"
import { longestRepeated, Splice } from "@switchyard/core/Splice"
import type { AnswerEvent } from "../conversation/Answer.js"
import type { EventWriter, Translator, WireEvent } from "../Translator.js"
import { optionsWithout } from "./optionsWithout.js"

const ignore = (_: WireEvent): void => undefined

/** What the caller has been given: the text, and which parts came in which order. */
export class DeliveredAnswer implements Delivered {
  text = ""
  hasText = false
  isFixed = false
  private hasBegun = false
  /** The name of the event that opens an answer, where events have names: it is not given twice. */
  private opening: string | undefined
  private readonly reader
  /** The beginning of each part, and nothing of its middle. */
  private readonly outline: Array<AnswerEvent> = []
  private last = -1
  /** The last part is the text's, which goes on in it. */
  private endsInText = false

  constructor(
    private readonly translator: Translator,
    /** Whether its middle is kept too, for dialects whose last event holds the whole answer. Default false. */
    private readonly keepsAll = false
  ) {
    this.reader = translator.eventReader()
  }

  read({ event, json }: StreamEvent): void {
    if (!this.hasBegun) this.opening = event
    this.hasBegun = true
    this.reader.read(json, (said) => this.take(said), event)
  }

  joint(repeated: string): Joint | undefined {
    if (!this.hasBegun) return undefined
    const writer = this.translator.eventWriter(optionsWithout)
    for (const said of this.outline) writer.write(said, ignore)
    return new AnswerJoint(this.translator, writer, repeated, this.endsInText ? this.last : this.last + 1, this.opening)
  }

  private take(said: AnswerEvent): void {
    switch (said.type) {
      case "start":
        this.outline.push(said)
        return
      case "text":
        if (said.choice !== 0 || said.logprobs !== undefined) this.isFixed = true
        this.begins(said, said.part)
        return this.add(said.text)
      case "reasoning":
        return this.begins(said, said.part)
      case "signature":
        return this.begins(said, said.part)
      case "usage":
      case "end":
      case "error":
        return
      default:
        this.isFixed = true
    }
  }

  private begins(said: AnswerEvent, part: number): void {
    if (part > this.last) {
      this.last = part
      this.endsInText = said.type === "text"
    } else if (!this.keepsAll || this.isFixed) return
    const before = this.outline.at(-1)
    const isMore =
      (said.type === "text" || said.type === "reasoning") && before?.type === said.type && before.part === part
    if (isMore) this.outline[this.outline.length - 1] = { ...before, text: before.text + said.text }
    else this.outline.push(said)
  }

  private add(text: string): void {
    if (text === "") return
    this.hasText = true
    if (this.isFixed || this.text.length + text.length > longestRepeated) {
      this.isFixed = true
      this.text = ""
    } else this.text += text
  }
}

/** Cuts the steps of a second answer in where the first one ended. */
class AnswerJoint implements Joint {
  private readonly splice: Splice
  private readonly reader
  private differs = false
  /** The second answer's part in which the first one goes on; what comes after it is counted on from there. */
  private shift: number | undefined

  constructor(
    translator: Translator,
    private readonly writer: EventWriter,
    repeated: string,
    /** The part of the first answer in which the text goes on. */
    private readonly place: number,
    private readonly opening: string | undefined
  ) {
    this.splice = new Splice(repeated)
    this.reader = translator.eventReader()
  }

  get isDone(): boolean {
    return this.splice.isDone
  }

  take({ event, json }: StreamEvent): ReadonlyArray<StreamEvent> | undefined {
    const events: Array<StreamEvent> = []
    const push = ({ event: name, json: written }: WireEvent): void => {
      if (name !== undefined && name === this.opening) return
      const data = JSON.stringify(written)
      events.push(name === undefined ? { data, json: written } : { event: name, data, json: written })
    }
    const write = (kept: AnswerEvent): void => {
      if (kept.type === "end") this.writer.end(push)
      else this.writer.write(kept, push)
    }
    this.reader.read(json, (said) => this.continued(said, write), event)
    return this.differs ? undefined : events
  }

  private continued(said: AnswerEvent, tell: (kept: AnswerEvent) => void): void {
    switch (said.type) {
      case "start":
      case "error":
        return
      case "text":
        return this.text(said, tell)
      case "reasoning":
      case "signature":
        // Thoughts that only lead up to what was given before.
        if (this.shift === undefined) return
        return tell({ ...said, part: said.part + this.shift })
      case "usage":
        return tell(said)
      case "end":
      case "finish":
        if (!this.isDone) this.differs = true
        else tell(said)
        return
      default:
        if (!this.isDone) this.differs = true
        else {
          this.shift ??= this.place + 1 - said.part
          tell({ ...said, part: said.part + this.shift })
        }
    }
  }

  private text(said: Extract<AnswerEvent, { readonly type: "text" }>, tell: (kept: AnswerEvent) => void): void {
    const rest = this.splice.take(said.text)
    if (rest === undefined) {
      this.differs = true
      return
    }
    if (rest === "") return
    this.shift ??= this.place - said.part
    const part = said.part + this.shift
    // The part that was cut goes on under the id that its item had.
    tell(part === this.place ? { ...said, text: rest, part, item: undefined } : { ...said, text: rest, part })
  }
}
