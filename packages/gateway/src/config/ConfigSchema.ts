/**
 * A JSON Schema of configuration files, for editors: our own settings exactly, LiteLLM's sections as open objects.
 */

import * as Field from "@switchyard/core/Field"
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

/** Titles are names that Effect gives its checks; they say nothing that the schema does not. */
const undescribed = ({
  default: _default,
  description: _description,
  title: _title,
  ...rest
}: JsonObject): JsonObject => rest

const isDuration = (schema: JsonObject): boolean => JSON.stringify(schema).includes("|weeks?)")

/** What a setting is for: as its field says, else as the options say that it takes beside `false`. */
const descriptionOf = ({ anyOf, description }: JsonObject): Json | undefined =>
  description ??
  (Array.isArray(anyOf)
    ? anyOf.flatMap((member) => (isObject(member) && member["type"] === "object" ? [member["description"]] : []))[0]
    : undefined)

/** A setting: its schema, with what it is for and what it is when it is left out. */
const setting = (name: string, schema: Json): Json => {
  if (!isObject(schema)) return schema
  const { default: byDefault } = schema
  const description = descriptionOf(schema)
  return {
    ...(typeof description === "string"
      ? { description: Field.told(description, { name, byDefault, isDuration: isDuration(schema) }) }
      : {}),
    ...(byDefault === undefined ? {} : { default: byDefault }),
    ...(finish(schema) as JsonObject)
  }
}

const finish = (schema: Json): Json => {
  if (!isObject(schema)) return schema
  const { additionalProperties, anyOf, items, properties, required, ...rest } = undescribed(schema)
  const members = Array.isArray(anyOf) ? { anyOf: anyOf.map(finishMember) } : {}
  if (isSingle(schema)) return withReference({ ...rest, ...members })
  return {
    ...rest,
    ...(Array.isArray(required) && required.length > 0 ? { required } : {}),
    ...members,
    ...(items === undefined ? {} : { items: finish(items) }),
    ...(isObject(properties) && Object.keys(properties).length > 0
      ? { properties: Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, setting(key, value)])) }
      : {}),
    ...(additionalProperties === undefined ? {} : { additionalProperties: finish(additionalProperties) })
  }
}

/** References stand beside the members of a choice, not once in each. */
const finishMember = (member: Json): Json =>
  isObject(member) ? (isSingle(member) ? undescribed(member) : finish(member)) : member

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
export const make = (): JsonObject => {
  const own = JSONSchema.make(GatewayConfig.Settings, { target: "jsonSchema2020-12" }) as unknown as JsonObject
  const { $defs = {}, $schema = null, ...settings } = own
  const finished = finish(settings) as JsonObject
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
      ...Object.fromEntries(Object.entries($defs as JsonObject).map(([key, value]) => [key, finish(value)])),
      reference: referenceSchema
    }
  }
}
