/**
 * A JSON Schema of configuration files, for editors: our own settings exactly, LiteLLM's sections as open objects.
 */

import * as LiteLlmConfig from "@switchyard/litellm/LiteLlmConfig"
import { JSONSchema } from "effect"
import * as GatewayConfig from "./GatewayConfig.js"

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }
type JsonObject = Readonly<Record<string, Json>>

/** Where the schema says that it lives. */
const id = "https://switchyard.dev/schema/switchyard.schema.json"

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A reference to the environment may stand for any single value. */
const reference = { $ref: "#/$defs/reference" }

const referenceSchema = {
  description: `A reference to the environment: os.environ/NAME, $\{NAME} or $\{NAME:-default}.`,
  type: "string",
  pattern: "^\\s*os\\.environ/.|\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}"
}

/** What a setting is for, by its path: keys, `*` for any key, `[]` for items of a list, `|` for a choice. */
export type Describe = (path: ReadonlyArray<string>) => string | undefined

/** The names that Effect gives its checks say nothing that the schema does not. */
const withoutNames = ({ description: _description, title: _title, ...rest }: JsonObject): JsonObject => rest

const takesAnyText = (schema: JsonObject): boolean =>
  schema["type"] === "string" && schema["pattern"] === undefined && schema["enum"] === undefined

const isSingle = ({ anyOf, const: constant, enum: values, type }: JsonObject): boolean =>
  ["string", "number", "integer", "boolean"].includes(type as string) ||
  values !== undefined ||
  constant !== undefined ||
  (Array.isArray(anyOf) && anyOf.every((member) => isObject(member) && isSingle(member)))

/** Lets references stand wherever a single value may. */
const withReference = (schema: JsonObject): JsonObject => {
  const { anyOf, ...others } = schema
  if (takesAnyText(schema)) return schema
  const members = Array.isArray(anyOf) && Object.keys(others).length === 0 ? anyOf : [schema]
  return members.some((member) => isObject(member) && takesAnyText(member))
    ? schema
    : { anyOf: [...members, reference] }
}

const finish = (schema: Json, path: ReadonlyArray<string>, describe: Describe): Json => {
  if (!isObject(schema)) return schema
  const bare = withoutNames(schema)
  const description = describe(path)
  const known = description === undefined ? {} : { description }
  if (isSingle(bare)) {
    const { anyOf } = bare
    const members = Array.isArray(anyOf) ? { anyOf: anyOf.map((one) => (isObject(one) ? withoutNames(one) : one)) } : {}
    return { ...known, ...withReference({ ...bare, ...members }) }
  }
  const { additionalProperties, anyOf, items, properties, required, ...rest } = bare
  const below = (child: Json, key: string) => finish(child, [...path, key], describe)
  return {
    ...known,
    ...rest,
    ...(Array.isArray(required) && required.length > 0 ? { required } : {}),
    ...(Array.isArray(anyOf) ? { anyOf: anyOf.map((member) => finish(member, [...path, "|"], describe)) } : {}),
    ...(items === undefined ? {} : { items: below(items, "[]") }),
    ...(isObject(properties) && Object.keys(properties).length > 0
      ? { properties: Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, below(value, key)])) }
      : {}),
    ...(additionalProperties === undefined ? {} : { additionalProperties: below(additionalProperties, "*") })
  }
}

const sectionOf = (key: string): JsonObject => {
  const description = "A section of LiteLLM's format."
  if (key === "model_list") {
    return {
      description: "LiteLLM's deployments: model_name is the group.",
      type: "array",
      items: {
        type: "object",
        required: ["model_name", "litellm_params"],
        properties: {
          model_name: { description: "The name that callers ask for; may contain *.", type: "string" },
          litellm_params: {
            type: "object",
            required: ["model"],
            properties: { model: { description: "provider/model", type: "string" } }
          },
          model_info: { type: ["object", "null"] }
        }
      }
    }
  }
  if (key === "include") {
    return {
      description: "Files that are read too, relative to this one.",
      type: ["array", "string", "null"],
      items: { type: "string" }
    }
  }
  return key.endsWith("_settings") || key === "environment_variables"
    ? { description, type: ["object", "null"] }
    : { description }
}

/** The schema (draft 2020-12), as plain JSON. Equal settings give equal text. */
export const make = (describe: Describe = () => undefined): JsonObject => {
  const own = JSONSchema.make(GatewayConfig.Settings, { target: "jsonSchema2020-12" }) as unknown as JsonObject
  const { $defs = {}, $schema = null, ...settings } = own
  const finished = finish(settings, [], describe) as JsonObject
  const { properties = {} } = finished
  return {
    $schema,
    $id: id,
    title: "Switchyard gateway",
    description: "The gateway's configuration: its own settings, LiteLLM's, or both.",
    ...finished,
    properties: {
      ...(properties as JsonObject),
      ...Object.fromEntries(LiteLlmConfig.topLevelKeys.map((key) => [key, sectionOf(key)]))
    },
    patternProperties: { "^x-": { description: "Not read: room for YAML anchors." } },
    additionalProperties: false,
    $defs: {
      ...Object.fromEntries(
        Object.entries($defs as JsonObject).map(([key, value]) => [key, finish(value, ["$defs", key], describe)])
      ),
      reference: referenceSchema
    }
  }
}
