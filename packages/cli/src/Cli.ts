/**
 * The subcommands with their options. Each loads what it needs when it runs, so that `--help` and mistakes cost nothing.
 */
import { type Argument, type Command, command, flag, optional, repeated, withDefault } from "./parser/options.js"

const file: Argument<"file"> = { name: "file", about: "The configuration: LiteLLM's config.yaml, or our own" }

const url: Argument<"url"> = {
  name: "url",
  about: "Where the gateway is; default http://127.0.0.1:4000",
  byDefault: "http://127.0.0.1:4000"
}

const json = flag("Print JSON and nothing else")

const data = optional("DIR", "The data folder. Default: SWITCHYARD_DATA, else ~/.local/state/switchyard")

const config = optional("FILE", "The configuration that says where the ledger is. Without it: the data folder's")

/** Every subcommand, by its name. */
export const commands: ReadonlyMap<string, Command> = new Map([
  [
    "serve",
    command(
      "Serves the gateway until SIGTERM or Ctrl-C; reloads the file when it changes",
      {
        options: {
          config: optional("FILE", "The configuration. Without it, demo upstreams are served: no key needed"),
          port: optional("N", "Port, 0 takes a free one. Beats the file's; default 4000"),
          host: optional("H", "Address to listen on. Beats the file's; default 127.0.0.1"),
          workers: optional("N", "Processes that serve on the port, auto for one a core. Beats the file's; default 1"),
          data
        },
        hearsSignals: true
      },
      () => import("./Serve.js")
    )
  ],
  [
    "check",
    command(
      "Says everything that is wrong with a configuration, and where",
      {
        options: {
          strict: flag("Warnings fail too"),
          env: flag("Take the environment as it is, as serve does (else variables that are not set are only noted)"),
          data,
          json
        },
        argument: file
      },
      () => import("./Check.js")
    )
  ],
  [
    "top",
    command(
      "Shows the deployments of a running gateway, live",
      {
        options: {
          key: optional("KEY", "The master key. Better: set SWITCHYARD_MASTER_KEY"),
          interval: withDefault("TIME", "Time between two looks, like 500ms or 2s; default 2s", "2s"),
          once: flag("Print the table once, and end")
        },
        argument: url,
        hearsSignals: true
      },
      () => import("./top/Top.js")
    )
  ],
  [
    "route",
    command(
      "Explains which deployments a request would consider, and why others are out; calls nobody",
      {
        options: {
          model: optional("M", "The model that the request asks for"),
          stack: flag("Show the router's concerns in their order, and whose their state is, in place of a route"),
          tag: repeated("T", "A tag of the request; may be given several times"),
          region: optional("R", "The region that the request must stay in"),
          stream: flag("The request streams"),
          tools: flag("The request offers tools to the model"),
          json
        },
        argument: file
      },
      () => import("./RouteReport.js")
    )
  ],
  [
    "simulate",
    command(
      "Tries a router in virtual time: what a strategy, a limit or a fallback would do, before it is deployed",
      {
        options: {
          compare: optional(
            "LIST",
            "What is compared: variants of the scenario, strategies, rules of other routers, oracle"
          ),
          config: optional("FILE", "A gateway's configuration, whose router takes the place of the scenario's"),
          seed: optional("N", "All chance follows from it: the same seed comes to the same figures"),
          html: optional("FILE", "Writes the tables and charts as one page"),
          replay: optional(
            "LOG",
            "Requests as they came: a gateway's log, a ledger's export, or a trace as CSV or JSON lines"
          ),
          json
        },
        argument: {
          name: "scenario",
          about:
            "A scenario's file, or one that comes along, as steady or one-slow; not needed with --replay and --config",
          byDefault: ""
        },
        hearsSignals: true,
        examples: [
          [
            "switchyard simulate one-slow --compare peak-ewma,least-busy,oracle",
            "How strategies meet a slow deployment"
          ],
          [
            "switchyard simulate overload --config config.yaml --html overload.html",
            "What a gateway's own file does about it"
          ],
          [
            "switchyard simulate --replay tuesday.jsonl --config config.yaml",
            "What last Tuesday would have been with this file, by what the log tells of its deployments"
          ]
        ]
      },
      () => import("./simulate/Simulate.js")
    )
  ],
  [
    "providers",
    command(
      "Lists the providers that are known: where they are, by which API they are asked, and which variables hold keys",
      {
        options: { json },
        argument: { name: "name", about: "One provider, to say all that is known of it", byDefault: "" }
      },
      () => import("./Providers.js")
    )
  ],
  [
    "models",
    command(
      "Lists the models that are known: what they are for and can do, how long their prompts may be, what they cost",
      {
        options: {
          provider: optional("P", "Only those of this provider"),
          limit: withDefault("N", "At most so many, 0 for all; default 200", "200"),
          json
        },
        argument: { name: "pattern", about: "Part of a name, or a pattern with stars", byDefault: "" }
      },
      () => import("./Models.js")
    )
  ],
  [
    "key",
    command(
      "Makes a random key and the entry for the configuration that holds its hash; or manages the keys of the ledger",
      {
        options: {
          name: optional("N", "Who the key is for, unique; of an entry default caller"),
          team: optional("ID", "create: the team that it belongs to"),
          user: optional("ID", "create: the user that it belongs to"),
          models: optional("LIST", "create: model groups that it may ask for, with commas between them; default all"),
          tags: optional("LIST", "create: tags that its requests bear"),
          budget: optional("USD", "create: what it may spend"),
          per: optional("TIME", "create: in how long it may spend that, like 1d or 30d; default ever"),
          rpm: optional("N", "create: requests per 60 s"),
          tpm: optional("N", "create: tokens per 60 s"),
          parallel: optional("N", "create: requests in progress at once"),
          expires: optional("TIME", "create: how long it is good for, like 90d; default forever"),
          "from-litellm": flag("import: from LiteLLM's database, which is only read"),
          url: optional("URL", "import: that database, postgresql://USER:PASSWORD@HOST/DATABASE"),
          json,
          config,
          data
        },
        argument: {
          name: "action",
          about: "create, list, revoke or import, in the ledger; without it: an entry for the configuration",
          byDefault: ""
        },
        second: { name: "named", about: "revoke: the name of the key", byDefault: "" },
        examples: [
          ["switchyard key --name blog", "A key, and what the configuration says of it"],
          [
            "switchyard key create --config config.yaml --name blog --budget 50 --per 30d --models smart,quick",
            "A key in the ledger, in force within 2 seconds"
          ],
          ["switchyard key list --config config.yaml", "The ledger's keys"],
          ["switchyard key revoke blog --config config.yaml", "Nobody comes in by it any more"],
          [
            "switchyard key import --from-litellm --url postgresql://reader:PASSWORD@db/litellm --config config.yaml",
            "LiteLLM's keys, teams and users, with what they have spent"
          ]
        ]
      },
      () => import("./Key.js")
    )
  ],
  [
    "spend",
    command(
      "Says what was used and what it cost: by day, key, team, user, model or deployment",
      {
        options: {
          by: optional("LIST", "What sums are told by: day, key, team, user, model, deployment; default day"),
          from: optional("DAY", "The first day (of UTC), like 2026-11-29, or 30d for so many days ago"),
          to: optional("DAY", "The last day"),
          key: optional("NAME", "Only what this key used"),
          team: optional("ID", "Only what this team used"),
          model: optional("M", "Only this model"),
          deployment: optional("ID", "Only this deployment"),
          export: optional("FORMAT", "csv or jsonl: single records, or with --by the sums, for other programs"),
          json,
          config,
          data
        },
        examples: [
          [
            "switchyard spend --config config.yaml --by key,model --from 30d",
            "What each key spent on each model in 30 days"
          ],
          [
            "switchyard spend --export jsonl --from 2026-11-01 --to 2026-11-30 > november.jsonl",
            "Every request of a month"
          ],
          ["switchyard spend --by team --export csv", "What each team spent, for a spreadsheet"]
        ]
      },
      () => import("./Spend.js")
    )
  ],
  [
    "schema",
    command(
      "Prints the JSON Schema of the configuration, for editors",
      { options: { path: flag("Print where the file is, in place of its content") } },
      () => import("./SchemaFile.js")
    )
  ]
])
