/**
 * The example CLI: a workload over upstreams that misbehave, or one prompt to real endpoints.
 */
import { Command, Options, ValidationError } from "@effect/cli"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { ConfigError, issue } from "@switchyard/core/ConfigError"
import * as Providers from "@switchyard/providers/Providers"
import * as UndiciTransport from "@switchyard/providers/UndiciTransport"
import * as Router from "@switchyard/router/Router"
import { Console, Effect, Layer, Option } from "effect"
import * as Demo from "./demo.js"
import * as Endpoints from "./endpoints.js"
import { type ScenarioName, scenarios } from "./scenarios.js"
import * as Workload from "./workload.js"

const scenario = Options.choice("scenario", Object.keys(scenarios) as Array<ScenarioName>).pipe(
  Options.withDefault("outage" as const),
  Options.withDescription(
    Object.entries(scenarios)
      .map(([name, shows]) => `${name}: ${shows}`)
      .join("; ")
  )
)
const strategy = Options.text("strategy").pipe(
  Options.optional,
  Options.withDescription("Routing strategy, for example peak-ewma, latency-based, round-robin, simple-shuffle")
)
const requests = Options.text("requests").pipe(
  Options.withPseudoName("integer"),
  Options.withDefault("300"),
  Options.withDescription("How many requests to send, a third of them streams: 1 to 100000, default 300")
)
const concurrency = Options.text("concurrency").pipe(
  Options.withPseudoName("integer"),
  Options.withDefault("24"),
  Options.withDescription("How many requests are under way at once: 1 to 1000, default 24")
)
const json = Options.boolean("json").pipe(Options.withDescription("Print the summary as JSON and nothing else"))
const config = Options.text("config").pipe(
  Options.optional,
  Options.withDescription("JSON file with real endpoints, see endpoints.example.json; keys come from the environment")
)
const prompt = Options.text("prompt").pipe(
  Options.optional,
  Options.withDescription("The prompt to send to the endpoints of --config")
)
const model = Options.text("model").pipe(
  Options.optional,
  Options.withDescription("The model group for --prompt; default: the first of the file")
)

const wrong = (flag: string, value: unknown, expected: string): ConfigError =>
  new ConfigError({ issues: [issue(flag, value, expected)] })

/** A whole number from 1 to `most`; read here, so that the error names the flag. */
const number = (flag: string, value: string, most: number): Effect.Effect<number, ConfigError> => {
  const parsed = /^\d+$/.test(value) ? Number(value) : 0
  return parsed >= 1 && parsed <= most
    ? Effect.succeed(parsed)
    : Effect.fail(wrong(flag, value, `a whole number from 1 to ${most}`))
}

const ask = (options: Router.Options, group: string, content: string) =>
  Workload.prompt(group, content, (text) => process.stdout.write(text)).pipe(
    Effect.flatMap((report) =>
      Console.log(
        `\n\n${report.deployment} answered after ${report.attempts.length} attempt(s), ${Math.round(report.latency)} ms`
      )
    ),
    Effect.provide(Router.layer(options).pipe(Layer.provide(Providers.layer), Layer.provide(UndiciTransport.layer)))
  )

const command = Command.make(
  "demo",
  { scenario, strategy, requests, concurrency, json, config, prompt, model },
  (flags) =>
    Effect.gen(function* () {
      const requests = yield* number("--requests", flags.requests, 100_000)
      const concurrency = yield* number("--concurrency", flags.concurrency, 1000)
      const chosen = Option.match(flags.strategy, { onNone: () => ({}), onSome: (name) => ({ strategy: name }) })
      if (Option.isSome(flags.config)) {
        if (Option.isNone(flags.prompt)) return yield* wrong("--prompt", undefined, "a prompt to send")
        const options = { ...(yield* Endpoints.load(flags.config.value)), ...chosen }
        const group = Option.getOrElse(flags.model, () => options.deployments?.[0]?.group ?? "")
        return yield* ask(options, group, flags.prompt.value)
      }
      if (Option.isSome(flags.prompt))
        return yield* wrong("--config", undefined, "a file with the endpoints for --prompt")
      const { scenario, json } = flags
      const answered = yield* Demo.run({ scenario, requests, concurrency, json, ...chosen })
      if (!answered) process.exitCode = 1
    })
).pipe(
  Command.withDescription(
    "Routes a workload over loopback upstreams that misbehave, and shows how the router keeps it going. " +
      "With --config and --prompt: sends one prompt to real endpoints."
  )
)

const cli = Command.run(command, { name: "Switchyard demo", version: "0.1.0" })

/** A user's mistake is one clear line and exit code 2; never a stack trace. */
const mistake = (message: string) =>
  Effect.zipRight(
    Console.error(message),
    Effect.sync(() => {
      process.exitCode = 2
    })
  )

/** The library has printed its line by then. */
const unusable = Effect.sync(() => {
  process.exitCode = 2
})

cli(process.argv).pipe(
  Effect.catchIf(ValidationError.isValidationError, () => unusable),
  Effect.catchTags({
    ConfigError: (error) => mistake(error.message),
    LlmError: (error) =>
      Effect.zipRight(
        Console.error(error.message),
        Effect.sync(() => {
          process.exitCode = 1
        })
      )
  }),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
