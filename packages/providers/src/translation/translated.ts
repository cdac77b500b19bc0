/**
 * An answer in another dialect than the caller's: said again in the caller's.
 */
import type { AnswerWords } from "@switchyard/core/Dialect"
import type { AnswerEvent } from "@switchyard/dialects/Answer"
import * as Pair from "@switchyard/dialects/Pair"
import type { AnswerOptions, Target, Translator, WireEvent } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import type { AwsDecoder } from "../auth/awsMessage.js"
import type { Hearing, StreamHearing, TellEvent } from "../exchange/hearing.js"
import type { Framing } from "../protocols/protocol.js"

/** Which dialects an answer goes between. */
export interface Between {
  readonly origin: Translator
  readonly target: Target
  /** The caller's words. */
  readonly words: AnswerWords
  readonly options: AnswerOptions
}

class TranslatedStream implements StreamHearing {
  private readonly bridge
  private hasFinished = false
  /** Something was said. */
  private hasBegun = false
  private isLast = false

  constructor({ options, origin, target }: Between) {
    this.bridge = Pair.events(origin, target, options)
  }

  read({ event, json }: Parameters<StreamHearing["read"]>[0], tell: TellEvent): boolean {
    this.bridge.read(
      json,
      (said) => tell(onWire(said)),
      event,
      (step) => this.hear(step)
    )
    return this.isLast
  }

  end(tell: TellEvent, isWhole = false): void {
    // What was cut is left open: whoever closes it would call it whole.
    if (this.hasFinished || (isWhole && this.hasBegun)) this.bridge.end((said) => tell(onWire(said)))
  }

  private hear({ type }: AnswerEvent): void {
    if (type === "finish") this.hasFinished = true
    else if (type === "text" || type === "reasoning" || type === "toolCall") this.hasBegun = true
    else if (type === "end") this.isLast = true
  }
}

const onWire = ({ event, json }: WireEvent) => {
  const data = JSON.stringify(json)
  return event === undefined ? { data, json } : { event, data, json }
}

/** Hears answers of the target's dialect, for a caller who speaks the origin's. */
export const translated = (between: Between, framing: Framing, decodeAws: AwsDecoder | undefined): Hearing => {
  const { options, origin, target, words } = between
  return {
    framing,
    decodeAws,
    isSame: false,
    answer: (body) => Either.merge(Pair.answer(body, origin, target, options)),
    isError: (json) => target.readError(json) !== undefined,
    events: words.events,
    stream: () => new TranslatedStream(between)
  }
}
