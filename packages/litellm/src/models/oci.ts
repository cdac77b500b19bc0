import type { Draft } from "../draft.js"
import { below, isText } from "../values.js"
import type { Env } from "./endpoint.js"
import type { Params } from "./params.js"

/** What an account of Oracle's consists of: LiteLLM's names, the variables that stand in for them, and what they hold. */
const parts: ReadonlyArray<readonly [keys: ReadonlyArray<string>, variables: ReadonlyArray<string>, what: string]> = [
  [["oci_user"], ["OCI_USER"], "the user's OCID"],
  [["oci_fingerprint"], ["OCI_FINGERPRINT"], "the fingerprint of the user's API key"],
  [["oci_tenancy"], ["OCI_TENANCY"], "the tenancy's OCID"],
  [["oci_key", "oci_key_file"], ["OCI_KEY", "OCI_KEY_FILE"], "the private key (PEM), or its file in `oci_key_file`"],
  [["oci_compartment_id"], ["OCI_COMPARTMENT_ID"], "the compartment's OCID"]
]

/** Whether requests are signed by an account: the deployment names one, or the environment does. */
export const hasOciAccount = (params: Params, env: Env): boolean =>
  parts.slice(0, 4).some(([keys]) => keys.some((key) => params.get(key) !== undefined)) ||
  (isText(env.OCI_USER) && isText(env.OCI_TENANCY))

/** Tells each part that is missing, where it would stand. */
export const tellMissing = (draft: Draft, params: Params, env: Env, path: string): void => {
  for (const [keys, variables, what] of parts) {
    const isThere = keys.some((key) => params.get(key) !== undefined) || variables.some((name) => isText(env[name]))
    if (!isThere) {
      const at = below(below(path, "litellm_params"), keys[0] ?? "")
      draft.error({ path: at, value: undefined }, `${what}, or ${variables[0]} in the environment`)
    }
  }
}
