import { type Given, isUnset } from "../values.js"

/** One deployment's settings and where each comes from. */
export class DeploymentDraft {
  readonly fields: Record<string, unknown> = {}
  readonly origins = new Map<string, string>()

  /** Sets a field from the file; an absent one stays absent. */
  put(field: string, given: Given | undefined, convert: (value: unknown) => unknown = (value) => value): void {
    if (given === undefined || this.fields[field] !== undefined) return
    const value = convert(given.value)
    if (isUnset(value)) return
    this.fields[field] = value
    if (given.path !== "") this.origins.set(field, given.path)
  }
}
