// @ts-check
// Checks all that scripts write or check of documents, in one process: most of a check's time is the loading of what the documents
// tell of, which is the same for all. Each says what is wrong with its own, and ends with 1.
process.argv.push("--check")
const scripts = [
  "exports",
  "docs-check",
  "semantics-check",
  "option-docs",
  "config-schema",
  "litellm-docs",
  "metrics-docs",
  "admin-docs",
  "stack-docs",
  "conformance-docs",
  "catalogue-docs",
  "grafana",
  "new-concern"
]
for (const script of scripts) await import(`./${script}.mjs`)
