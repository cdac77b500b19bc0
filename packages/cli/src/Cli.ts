/**
 * The subcommands with their options. Each loads what it needs when it runs, so that `--help` and mistakes cost nothing.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { Effect, Option } from "effect"
import type { Known } from "./words.js"

const text = (name: string, shape: string, description: string) =>
  Options.text(name).pipe(Options.withPseudoName(shape), Options.withDescription(description))

const optional = (name: string, shape: string, description: string) =>
  text(name, shape, description).pipe(Options.optional, Options.map(Option.getOrUndefined))

const flag = (name: string, description: string) => Options.boolean(name).pipe(Options.withDescription(description))

const file = Args.text({ name: "file" }).pipe(
  Args.withDescription("The configuration: LiteLLM's config.yaml, or our own")
)

const json = flag("json", "Print JSON and nothing else")

const options = {
  serve: {
    config: optional("config", "FILE", "The configuration. Without it, demo upstreams are served: no key needed"),
    port: optional("port", "N", "Port, 0 takes a free one. Beats the file's; default 4000"),
    host: optional("host", "H", "Address to listen on. Beats the file's; default 127.0.0.1")
  },
  check: {
    strict: flag("strict", "Warnings fail too"),
    env: flag("env", "Take the environment as it is, as serve does (else variables that are not set are only noted)"),
    json
  },
  top: {
    key: optional("key", "KEY", "The master key. Better: set SWITCHYARD_MASTER_KEY"),
    interval: text("interval", "TIME", "Time between two looks, like 500ms or 2s; default 2s").pipe(
      Options.withDefault("2s")
    ),
    once: flag("once", "Print the table once, and end")
  },
  route: {
    model: optional("model", "M", "The model that the request asks for"),
    stack: flag("stack", "Show the router's concerns in their order, and whose their state is, in place of a route"),
    tag: text("tag", "T", "A tag of the request; may be given several times").pipe(Options.repeated),
    region: optional("region", "R", "The region that the request must stay in"),
    stream: flag("stream", "The request streams"),
    tools: flag("tools", "The request offers tools to the model"),
    json
  },
  key: {
    name: text("name", "N", "Who the key is for; default caller").pipe(Options.withDefault("caller"))
  },
  schema: {
    path: flag("path", "Print where the file is, in place of its content")
  }
}

const serve = Command.make("serve", options.serve, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./Serve.js")),
    ({ run }) => run(flags)
  )
).pipe(Command.withDescription("Serves the gateway until SIGTERM or Ctrl-C; reloads the file when it changes"))

const check = Command.make("check", { ...options.check, file }, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./Check.js")),
    ({ run }) => run(flags)
  )
).pipe(Command.withDescription("Says everything that is wrong with a configuration, and where"))

const url = Args.text({ name: "url" }).pipe(
  Args.withDescription("Where the gateway is; default http://127.0.0.1:4000"),
  Args.withDefault("http://127.0.0.1:4000")
)

const top = Command.make("top", { ...options.top, url }, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./Top.js")),
    ({ run }) => run(flags)
  )
).pipe(Command.withDescription("Shows the deployments of a running gateway, live"))

const route = Command.make("route", { ...options.route, file }, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./RouteReport.js")),
    ({ run }) => run(flags)
  )
).pipe(
  Command.withDescription("Explains which deployments a request would consider, and why others are out; calls nobody")
)

const key = Command.make("key", options.key, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./Key.js")),
    ({ run }) => run(flags)
  )
).pipe(
  Command.withDescription("Makes a random key for a caller, and the entry for the configuration that holds its hash")
)

const schema = Command.make("schema", options.schema, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./SchemaFile.js")),
    ({ run }) => run(flags)
  )
).pipe(Command.withDescription("Prints the JSON Schema of the configuration, for editors"))

/** The whole command. */
export const command = Command.make("switchyard").pipe(
  Command.withDescription("An OpenAI-compatible gateway that routes over many deployments of language models"),
  Command.withSubcommands([serve, check, top, route, key, schema])
)

/** Every subcommand's options, and whether each takes a value. */
export const known: ReadonlyMap<string, Known> = new Map(
  Object.entries(options).map(([name, flags]) => [
    name,
    new Map(
      Object.values<Options.Options<unknown>>(flags).map((one) => [
        Option.getOrElse(Options.getIdentifier(one), () => ""),
        !Options.isBool(one)
      ])
    )
  ])
)
