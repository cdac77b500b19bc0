// @ts-check
// What scripts write from the sources is as they would write it (`--check`): all of them in one process, which loads the sources once.
import "./sources.mjs"

const scripts = [
  "./option-docs.mjs",
  "./config-schema.mjs",
  "./litellm-docs.mjs",
  "./metrics-docs.mjs",
  "./admin-docs.mjs",
  "./stack-docs.mjs",
  "./catalogue-docs.mjs",
  "./conformance-docs.mjs",
  "./grafana.mjs"
]

if (!process.argv.includes("--check")) {
  console.error(
    "each script writes its own document; this one checks them all: node scripts/generated-check.mjs --check"
  )
  process.exit(1)
}
for (const script of scripts) await import(script)
