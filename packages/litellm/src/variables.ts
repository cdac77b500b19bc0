/**
 * What LiteLLM reads from variables of its own where the file says nothing.
 */
import { originOf } from "@switchyard/core/Origin"
import type { Draft, Reader } from "./draft.js"
import type { Env } from "./models/endpoint.js"
import { below, isText, isTree, type Tree } from "./values.js"

const readMasterKey = (draft: Draft, general: Reader, tree: Tree, { LITELLM_MASTER_KEY: key }: Env): void => {
  const path = below(general.path, "master_key")
  if (key === undefined || general.get("master_key") !== undefined || draft.unset.has(path) || "masterKey" in tree)
    return
  // An empty variable is a secret that did not arrive: it must not leave the door open.
  if (key.trim() === "")
    return draft.error({ path, value: undefined }, "a key in LITELLM_MASTER_KEY, which is set but empty")
  draft.set(["masterKey"], key, path)
  draft.note(path, "Not in the file, so it is that of LITELLM_MASTER_KEY.")
}

/** Unset, LiteLLM lets pages of every origin call; here that has to be said. */
const readOrigins = (draft: Draft, { server }: Tree, { LITELLM_CORS_ORIGINS: text }: Env): void => {
  const path = "server.cors"
  if (!isText(text) || (isTree(server) && "cors" in server)) return
  const named = text.split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim()]))
  const origins = named.filter((part) => part === "*" || originOf(part) !== undefined)
  if (origins.length < named.length) {
    draft.warn(path, "What is no origin like https://app.example.com is left out of LITELLM_CORS_ORIGINS.")
  }
  if (origins.length === 0) return
  draft.set(["server", "cors"], origins, path)
  draft.note(path, "Not in the file, so it is that of LITELLM_CORS_ORIGINS.")
}

/** LiteLLM encrypts with it what it stores, the ids of responses among it. */
const readSalt = (draft: Draft, tree: Tree, { LITELLM_SALT_KEY: salt, SWITCHYARD_ID_SECRET: own }: Env): void => {
  const path = "server.idSecret"
  if (!isText(salt) || own !== undefined || (isTree(tree.server) && "idSecret" in tree.server)) return
  if (salt.trim().length < 16) {
    return draft.warn(path, "LITELLM_SALT_KEY has fewer than 16 characters: ids are sealed with a random secret.")
  }
  draft.set(["server", "idSecret"], salt, path)
  draft.note(path, "Not in the file, so it is that of LITELLM_SALT_KEY.")
}

/** LiteLLM's own containers are given their database so. */
const readDatabase = (draft: Draft, general: Reader, tree: Tree, env: Env): void => {
  const { DATABASE_URL: url, SWITCHYARD_LEDGER_URL: own } = env
  const path = below(general.path, "database_url")
  if (!isText(url) || own !== undefined || isText(general.get("database_url")?.value)) return
  if (draft.unset.has(path) || "ledger" in tree) return
  if (!/^postgres(ql)?:\/\//i.test(url.trim())) {
    return draft.note(path, "DATABASE_URL is none of Postgres: it is not read.")
  }
  draft.set(["ledger", "url"], url, path)
  draft.note(path, "Not in the file, so it is that of DATABASE_URL.")
}

/** Takes from the environment what the file, `tree` as a whole, does not say. */
export const readVariables = (draft: Draft, general: Reader, tree: Tree, env: Env): void => {
  readMasterKey(draft, general, tree, env)
  readOrigins(draft, tree, env)
  readSalt(draft, tree, env)
  readDatabase(draft, general, tree, env)
}
