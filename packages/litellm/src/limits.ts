import type { Draft } from "./draft.js"
import type { Globals } from "./globals.js"
import type { Made } from "./models/modelList.js"
import { asWords, isOn, toList } from "./values.js"

/** Strategies under which LiteLLM keeps to `rpm` and `tpm` itself. */
const keepsToThem = /^(usage|latency|cost)-based/

/** Says once that `rpm` and `tpm` bind here, where LiteLLM would only weigh by them. */
export const tellLimits = (draft: Draft, { router }: Globals, deployments: ReadonlyArray<Made>): void => {
  const checks = toList(router.get("optional_pre_call_checks")?.value)
  const strategy = asWords(router.get("routing_strategy")?.value) ?? "simple-shuffle"
  if (isOn(router.get("enable_pre_call_checks")?.value) || checks.includes("enforce_model_rate_limits")) return
  if (keepsToThem.test(strategy)) return
  for (const { fields, origins } of deployments) {
    const key = ["rpm", "tpm"].find((name) => typeof fields[name] === "number")
    const path = key === undefined ? undefined : origins.get(key)
    if (path === undefined) continue
    draft.noteOnce(
      path,
      "A limit: what is beyond it in 60 s goes elsewhere, or is refused with 429; LiteLLM only weighs by it here, unless `enable_pre_call_checks` is true."
    )
  }
}
