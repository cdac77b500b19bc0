/** Whether a pattern means a name; `*` stands for any text, as in the names of model groups. */
export const matchesName = (pattern: string, model: string): boolean => {
  if (!pattern.includes("*")) return pattern === model
  const parts = pattern.split("*")
  const first = parts[0] ?? ""
  const last = parts[parts.length - 1] ?? ""
  if (!model.startsWith(first)) return false
  let from = first.length
  for (const part of parts.slice(1, -1)) {
    const at = model.indexOf(part, from)
    if (at === -1) return false
    from = at + part.length
  }
  return model.length - last.length >= from && model.endsWith(last)
}
