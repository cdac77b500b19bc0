import type { Scrubber } from "@switchyard/core/Secret"
import type { Usage } from "@switchyard/core/Usage"
import type { Ended } from "../edge/calls/Completions.js"
import { busyTime } from "../edge/RoutingHeaders.js"
import { quote, word } from "./logText.js"

/** How a request ended. `refused`: the gateway itself said no. */
export type Ending = "success" | "failure" | "abandoned" | "refused"

/** The status of a request whose client left before it got one, as other servers log it. */
const clientLeft = 499

/** How a request ended. */
export const endingOf = ({ error, isWhole, refusal }: Ended): Ending => {
  if (refusal !== undefined) return refusal.status === 500 ? "failure" : "refused"
  if (error !== undefined) return "failure"
  return isWhole ? "success" : "abandoned"
}

/** Names come again with every request, so each is made fit for a line once. Few are kept: callers make them up. */
class Names {
  private readonly known = new Map<string, string>()

  constructor(private readonly render: (text: string) => string) {}

  of(name: string): string {
    const found = this.known.get(name)
    if (found !== undefined) return found
    const rendered = this.render(name)
    if (name.length > maxName) return rendered
    if (this.known.size >= 1000) this.known.clear()
    this.known.set(name, rendered)
    return rendered
  }
}

/** Characters of a name that are logged. */
const maxName = 200

/** Characters of an error's message that are logged. */
const maxMessage = 500

const isUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Codes are words; whatever else a provider puts there is left out. */
const isCode = /^[\w.-]{1,64}$/

const ms = (time: number): number => Math.round(time * 100) / 100

const dollars = (cost: number): number => Math.round(cost * 1e9) / 1e9

/** What a request's line tells. The order is the line's. */
interface Facts {
  readonly ended: Ended
  readonly ending: Ending
  readonly latency: number
  readonly group: string | undefined
  readonly deployment: string | undefined
  readonly provider: string | undefined
  readonly overhead: number | undefined
  readonly usage: Usage | undefined
  readonly cost: number | undefined
  readonly code: string | undefined
}

const factsOf = (ended: Ended, ending: Ending, now: number): Facts => {
  const { answeredAt, error, journal, receivedAt, refusal } = ended
  const entry = journal === undefined ? undefined : (journal.answered ?? journal.last)
  const hops = journal?.fallbacks
  const said = error?.reason === "InvalidRequest" && error.code !== undefined ? error.code : error?.httpCode
  const isRouted = journal !== undefined && answeredAt !== undefined
  return {
    ended,
    ending,
    latency: ms(now - receivedAt),
    group: entry?.group ?? hops?.[hops.length - 1]?.to,
    deployment: entry?.deployment,
    provider: entry?.provider,
    overhead: isRouted ? ms(Math.max(0, answeredAt - receivedAt - busyTime(journal.entries, answeredAt))) : undefined,
    usage: journal?.usage,
    cost: journal?.cost,
    code: refusal?.code ?? (said === undefined || isCode.test(said) ? said : error?.httpCode)
  }
}

const callerOf = ({ caller }: Ended): string | undefined =>
  caller === undefined ? undefined : caller.isMaster ? "(master)" : caller.name

/** Makes the lines of requests. Only what is listed here is ever told of one. */
export class RequestLines {
  private readonly quoted = new Names((name) => quote(this.scrubber.text(name, maxName)))
  private readonly words = new Names((name) => word(this.scrubber.text(name, maxName)))

  constructor(
    private readonly scrubber: Scrubber,
    private readonly withMessages: boolean,
    /** The share of successful requests that is logged. */
    private readonly sample: number
  ) {}

  /** One JSON object. `time` is ISO 8601, `now` monotonic ms. */
  json(ended: Ended, ending: Ending, time: string, now: number): string {
    const facts = factsOf(ended, ending, now)
    const { cost, deployment, group, latency, overhead, provider, usage } = facts
    const { error, firstContentAt, journal, model, operation, receivedAt, status, stream } = ended
    const names = this.quoted
    const { id } = ended
    const caller = callerOf(ended)
    let line = `{"time":"${time}","level":"info","event":"request","id":${isUuid.test(id) ? `"${id}"` : quote(this.scrubber.id(id))}`
    if (caller !== undefined) line += `,"caller":${names.of(caller)}`
    line += `,"operation":"${operation}"`
    if (stream !== undefined) line += `,"stream":${stream}`
    if (model !== undefined) line += `,"model":${names.of(model)}`
    if (group !== undefined) line += `,"group":${names.of(group)}`
    if (deployment !== undefined) line += `,"deployment":${names.of(deployment)}`
    if (provider !== undefined) line += `,"provider":${names.of(provider)}`
    if (journal !== undefined) {
      const { cache, fallbacks } = journal
      const hop = fallbacks[fallbacks.length - 1]
      line += `,"attempts":${journal.spent}`
      if (hop !== undefined) line += `,"fallback":"${hop.kind}"`
      if (cache !== undefined) line += `,"cache":"${cache}"`
    }
    line += `,"outcome":"${ending}","status":${status ?? clientLeft}`
    if (error !== undefined) line += `,"reason":"${error.reason}"`
    if (facts.code !== undefined) line += `,"code":${names.of(facts.code)}`
    if (error?.status !== undefined) line += `,"upstream_status":${error.status}`
    line += `,"latency_ms":${latency}`
    if (firstContentAt !== undefined) line += `,"ttft_ms":${ms(firstContentAt - receivedAt)}`
    if (overhead !== undefined) line += `,"overhead_ms":${overhead}`
    if (usage !== undefined) {
      line += `,"input_tokens":${usage.inputTokens},"output_tokens":${usage.outputTokens},"cached_tokens":${usage.cachedInputTokens}`
    }
    if (cost !== undefined) line += `,"cost_usd":${dollars(cost)}`
    if (this.sample < 1 && ending === "success") line += `,"sample":${this.sample}`
    const message = this.messageOf(ended)
    if (message !== undefined) line += `,"message":${quote(message)}`
    return `${line}}`
  }

  /** The same for people: what matters most in columns, the rest behind them. */
  pretty(ended: Ended, ending: Ending, now: number): string {
    const { code, cost, deployment, group, latency, overhead, provider, usage } = factsOf(ended, ending, now)
    const { error, firstContentAt, journal, model, operation, receivedAt, status, stream } = ended
    const name = (text: string | undefined): string | undefined =>
      text === undefined ? undefined : this.words.of(text)
    const to = deployment === undefined ? "" : ` → ${this.words.of(deployment)}`
    const asked = model === undefined ? "-" : this.words.of(model)
    const message = this.messageOf(ended)
    const rest = Object.entries({
      group: group === model ? undefined : name(group),
      provider: name(provider),
      caller: name(callerOf(ended)),
      reason: error?.reason,
      code: name(code),
      upstream_status: error?.status,
      attempts: journal === undefined || journal.spent === 1 ? undefined : journal.spent,
      fallback: journal?.fallbacks[journal.fallbacks.length - 1]?.kind,
      cache: journal?.cache,
      ttft_ms: firstContentAt === undefined ? undefined : ms(firstContentAt - receivedAt),
      overhead_ms: overhead,
      in: usage?.inputTokens,
      out: usage?.outputTokens,
      cached: usage === undefined || usage.cachedInputTokens === 0 ? undefined : usage.cachedInputTokens,
      usd: cost === undefined ? undefined : dollars(cost),
      id: word(this.scrubber.id(ended.id)),
      message: message === undefined ? undefined : quote(message)
    })
    const columns = [
      String(status ?? clientLeft),
      ending.padEnd(9),
      `${latency.toFixed(1)} ms`.padStart(11),
      `${operation}${stream === true ? " stream" : ""}`.padEnd(11),
      (asked + to).padEnd(24)
    ]
    return [...columns, ...rest.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]))].join(" ")
  }

  private messageOf({ error, refusal }: Ended): string | undefined {
    if (!this.withMessages) return undefined
    if (refusal !== undefined) return this.scrubber.text(refusal.message, maxMessage)
    return error === undefined ? undefined : this.scrubber.text(error.message, maxMessage)
  }
}
