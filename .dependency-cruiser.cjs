/** The arrows between the packages: each may import the listed ones and no other. */
const arrows = {
  core: [],
  router: ["core"],
  dialects: ["core"],
  providers: ["core", "router", "dialects"],
  testing: ["core", "router"],
  litellm: ["core", "router", "dialects", "providers"],
  ledger: ["core", "router"],
  redis: ["core", "router"],
  simulator: ["core", "router", "providers"],
  gateway: ["core", "router", "dialects", "providers", "ledger", "redis", "litellm"],
  cli: ["core", "router", "dialects", "providers", "ledger", "redis", "litellm", "gateway", "simulator"],
  "effect-ai": ["core", "dialects"],
  "ai-sdk": ["core", "router", "dialects", "providers"]
}

/** The folders of a package from the ground up: each may use those before it and none after it. */
const concerns = {
  core: ["shared", "json", "errors", "deployment", "outcome", "dialect", "media", "request", "answer", "service"],
  router: [
    "stack",
    "cache",
    "catalogue",
    "drills",
    "events",
    "ejection",
    "latency",
    "concurrency",
    "time",
    "registry",
    "pinning",
    "breaker",
    "money",
    "recovery",
    "limits",
    "queue",
    "throttle",
    "balancing",
    "observe",
    "retry",
    "fallback",
    "hedge",
    "fleet",
    "sharing",
    "router"
  ],
  dialects: [
    "conversation",
    "parts",
    "words",
    "chat",
    "completions",
    "responses",
    "messages",
    "gemini",
    "converse",
    "cohere",
    "ollama",
    "pairs",
    "bridges"
  ],
  providers: [
    "known",
    "transport",
    "errors",
    "protocols",
    "auth",
    "exchange",
    "media",
    "translation",
    "openai",
    "side"
  ],
  ledger: ["errors", "record", "money", "keys", "store", "imports", "journal", "worker", "ledger", "spending"],
  redis: ["scripts", "connection", "engine"],
  simulator: ["time", "chance", "upstream", "workload", "rules", "scenario", "figures", "run", "report"],
  gateway: [
    "api",
    "config",
    "dashboard",
    "errors",
    "keys",
    "telemetry",
    "generations",
    "objects",
    "edge",
    "log",
    "workers",
    "fleet",
    "ledger",
    "control"
  ]
}

/** Public modules: those in PascalCase, and the index. */
const published = "/([A-Z][A-Za-z0-9]*|index)[.]ts$"
const names = Object.keys(arrows)
const oneOf = (list) => `(${list.join("|")})`

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    ...names.map((name) => ({
      name: `arrows-of-${name}`,
      severity: "error",
      from: { path: `^packages/${name}/src/` },
      to: { path: `^packages/${oneOf(names.filter((other) => other !== name && !arrows[name].includes(other)))}/` }
    })),
    {
      name: "tests-follow-the-arrows-too",
      comment: "A package's tests and benches may use what the package may, and the testing package.",
      severity: "error",
      from: { path: "^packages/(core|router)/(test|test-types|bench)/" },
      to: { path: "^packages/(providers|gateway|cli)/" }
    },
    {
      name: "source-stays-in-source",
      severity: "error",
      from: { path: "^packages/[^/]+/src/" },
      to: { path: "^(packages/[^/]+/(test|test-types|bench|dist)|examples)/" }
    },
    {
      name: "parts-stay-in-their-package",
      comment: "A module in camelCase is a part of its package; only those in PascalCase are for others.",
      severity: "error",
      from: { path: "^packages/([^/]+)/" },
      to: { path: "^packages/[^/]+/src/", pathNot: ["^packages/$1/", published] }
    },
    {
      name: "parts-are-not-for-examples",
      severity: "error",
      from: { path: "^examples/" },
      to: { path: "^packages/[^/]+/src/", pathNot: published }
    },
    ...Object.entries(concerns).flatMap(([name, folders]) =>
      folders
        .map((folder, floor) => ({
          name: `concerns-of-${name}-${folder}`,
          comment: "A concern's folder may use those that stand before it in the list.",
          severity: "error",
          from: { path: `^packages/${name}/src/${folder}/` },
          to: { path: `^packages/${name}/src/${oneOf(folders.slice(floor + 1))}/` }
        }))
        .slice(0, -1)
    ),
    {
      name: "declared-dependencies-only",
      comment: "Published code imports what its package.json declares for its users.",
      severity: "error",
      from: { path: "^packages/[^/]+/src/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], dependencyTypesNot: ["npm-peer", "npm"] }
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } }
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(dist|node_modules/\\.)" },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    tsConfig: { fileName: "tsconfig.base.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["@switchyard/source", "import", "node", "types", "default"],
      extensions: [".ts", ".mts", ".js", ".mjs", ".json", ".d.ts"]
    }
  }
}
