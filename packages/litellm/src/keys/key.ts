/** Where a key of LiteLLM's may stand. `request` is no part of the file: what a caller may say in a request's body. */
export type Section =
  | "file"
  | "model_list"
  | "litellm_params"
  | "model_info"
  | "router_settings"
  | "routing_strategy_args"
  | "litellm_settings"
  | "cache_params"
  | "general_settings"
  | "request"

/**
 * `honoured`: does here what it does there, or what `how` says. `warned`: not done, and a warning says so. `accepted`:
 * there is nothing to do here, and nothing that anybody would miss.
 */
type Support = "honoured" | "warned" | "accepted"

/** One key of LiteLLM's and what becomes of it. */
export interface Key {
  readonly section: Section
  readonly key: string
  readonly support: Support
  /** One sentence for people; for a warned key it is the warning. */
  readonly how: string
  /** Values of a warned key that ask for nothing, beside `false`, `null`, and what is empty. */
  readonly harmless: ReadonlyArray<unknown>
}

/** The keys of one section. */
export const section = (name: Section) => ({
  honoured: (key: string, how: string): Key => ({ section: name, key, support: "honoured", how, harmless: [] }),
  warned: (key: string, how: string, harmless: ReadonlyArray<unknown> = []): Key => ({
    section: name,
    key,
    support: "warned",
    how,
    harmless
  }),
  accepted: (key: string, how: string): Key => ({ section: name, key, support: "accepted", how, harmless: [] })
})
