import type { Draft } from "../draft.js"
import type { Params } from "./params.js"

/** What Ollama's own API knows, and its OpenAI-compatible one does not read. */
const ignored = [
  ..."num_ctx keep_alive num_gpu num_thread num_keep num_predict num_batch num_gqa main_gpu low_vram use_mmap use_mlock".split(
    " "
  ),
  ..."mirostat mirostat_eta mirostat_tau repeat_last_n repeat_penalty tfs_z typical_p penalize_newline format".split(
    " "
  ),
  ..."options raw template top_k min_p".split(" ")
]

const tells: Readonly<Record<string, string>> = {
  num_ctx:
    "Ollama's OpenAI-compatible API, which is asked, ignores it: prompts are cut to the server's own length, in silence. Set " +
    "`num_ctx` in the model's Modelfile, or OLLAMA_CONTEXT_LENGTH on the server.",
  keep_alive: "Ollama's OpenAI-compatible API, which is asked, ignores it. Set OLLAMA_KEEP_ALIVE on the server."
}

/** Says what of its settings an Ollama deployment loses by being asked at its OpenAI-compatible API. */
export const tellOllama = (draft: Draft, provider: unknown, params: Params): void => {
  if (provider !== "ollama" && provider !== "ollama_chat") return
  for (const key of ignored) {
    const given = params.get(key)
    if (given === undefined) continue
    draft.warn(given.path, tells[key] ?? "Ollama's OpenAI-compatible API, which is asked, ignores it.")
  }
}
