import { Schema } from "effect"

/** What is wrong with a request, in OpenAI's shape. */
export const failure = <const Type extends string>(type: Type) => ({
  error: Schema.Struct({
    message: Schema.String,
    type: Schema.Literal(type),
    param: Schema.NullOr(Schema.String),
    code: Schema.String
  })
})
