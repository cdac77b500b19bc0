/**
 * Tools in namespaces and tools of free text, over every provider that knows neither: what is asked for, and what comes back.
 */
import { assert, describe, it } from "@effect/vitest"
import type { JsonObject } from "@switchyard/core/Json"
import * as Pair from "@switchyard/dialects/Pair"
import type { AnswerOptions, WireEvent } from "@switchyard/dialects/Translator"
import { Either } from "effect"
import { answers, type Provider, type Said } from "../conformance/answers.js"
import { asked } from "../conformance/asked.js"
import { callers, providers } from "../conformance/cells.js"

const foreign = (Object.keys(providers) as ReadonlyArray<Provider>).filter((provider) => provider !== "responses")

/** Two calls, of tools and with arguments of other names. */
const saying = (provider: Provider, tool: string, argument: string): Said =>
  JSON.parse(JSON.stringify(answers[provider].calls).replaceAll("weather", tool).replaceAll("city", argument)) as Said

const optionsOf = (origin: keyof typeof callers, body: JsonObject): AnswerOptions => ({
  conversation: Either.getOrThrow(Pair.read(callers[origin], body)),
  id: "abcdefghijklmnopqrstuvwx",
  created: 1_700_000_000
})

const written = (origin: keyof typeof callers, body: JsonObject, provider: Provider): JsonObject =>
  Either.getOrThrow(
    Pair.write(Either.getOrThrow(Pair.read(callers[origin], body)), callers[origin], providers[provider], {
      model: "m-1",
      dropsMeaning: true
    })
  ).body

const streamed = (
  origin: keyof typeof callers,
  body: JsonObject,
  provider: Provider,
  said: Said
): ReadonlyArray<JsonObject> => {
  const events: Array<JsonObject> = []
  const tell = ({ json }: WireEvent): void => void events.push(json)
  const bridge = Pair.events(callers[origin], providers[provider], optionsOf(origin, body))
  for (const { event, json } of said.events) bridge.read(json, tell, event)
  bridge.end(tell)
  return events
}

const inNamespace = {
  model: "m",
  tools: [
    {
      type: "namespace",
      name: "mcp__files",
      description: "Files",
      tools: [{ type: "function", name: "read", parameters: { type: "object", properties: {} } }]
    }
  ],
  tool_choice: { type: "function", name: "read", namespace: "mcp__files" },
  input: [
    { role: "user", content: "Read it." },
    { type: "function_call", call_id: "call_1", name: "read", namespace: "mcp__files", arguments: "{}" },
    { type: "function_call_output", call_id: "call_1", output: "It." }
  ]
}

const ofFreeText = {
  responses: {
    model: "m",
    tools: [{ type: "custom", name: "patch", description: "Patches.", format: { type: "text" } }],
    input: [
      { role: "user", content: "Patch it." },
      { type: "custom_tool_call", call_id: "call_1", name: "patch", input: "*** Begin" },
      { type: "custom_tool_call_output", call_id: "call_1", output: "Done." }
    ]
  },
  chat: {
    model: "m",
    tools: [
      {
        type: "custom",
        custom: {
          name: "patch",
          format: { type: "grammar", grammar: { syntax: "lark", definition: "start: LINE" } }
        }
      }
    ],
    messages: [
      { role: "user", content: "Patch it." },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call_1", type: "custom", custom: { name: "patch", input: "*** Begin" } }]
      },
      { role: "tool", tool_call_id: "call_1", content: "Done." }
    ]
  }
}

describe("tools in namespaces", () => {
  it.each(foreign)("go to %s by one name, and come back in their namespace", (provider) => {
    const body = written("responses", inNamespace, provider)
    const text = JSON.stringify(body)
    assert.notInclude(text, "mcp__files__mcp__files")
    const said = asked[provider](body)
    assert.deepStrictEqual(said.tools, ["mcp__files__read"])
    assert.isAtLeast(text.split("mcp__files__read").length - 1, provider === "cohere" || provider === "ollama" ? 2 : 3)
    const calls = saying(provider, "mcp__files__read", "path")
    const answer = Either.getOrThrow(
      Pair.answer(calls.whole, callers.responses, providers[provider], optionsOf("responses", inNamespace))
    )
    const items = answer.output as ReadonlyArray<JsonObject>
    assert.deepStrictEqual(
      items.map(({ name, namespace }) => [name, namespace]),
      [
        ["read", "mcp__files"],
        ["read", "mcp__files"]
      ]
    )
    const done = streamed("responses", inNamespace, provider, calls).filter(
      ({ type }) => type === "response.output_item.done"
    )
    assert.deepStrictEqual(
      done.map(({ item }) => [(item as JsonObject).name, (item as JsonObject).namespace]),
      [
        ["read", "mcp__files"],
        ["read", "mcp__files"]
      ]
    )
  })
})

describe("tools of free text", () => {
  it.each(foreign)("of a Responses caller are functions to %s, and calls of them free text again", (provider) => {
    const body = written("responses", ofFreeText.responses, provider)
    const said = asked[provider](body)
    assert.deepStrictEqual(said.tools, ["patch"])
    assert.notInclude(JSON.stringify(body), '"custom"')
    assert.match(JSON.stringify(body), /\{\\?"input\\?":\\?"\*\*\* Begin\\?"\}/)
    const calls = saying(provider, "patch", "input")
    const options = optionsOf("responses", ofFreeText.responses)
    const answer = Either.getOrThrow(Pair.answer(calls.whole, callers.responses, providers[provider], options))
    const inputs = (answer.output as ReadonlyArray<JsonObject>).map(({ input, type }) => [type, input])
    assert.deepStrictEqual(inputs, [
      ["custom_tool_call", "Oslo"],
      ["custom_tool_call", "Rome"]
    ])
    const told = streamed("responses", ofFreeText.responses, provider, calls)
    const deltas = told.filter(({ type }) => type === "response.custom_tool_call_input.delta")
    assert.deepStrictEqual(
      deltas.map(({ delta }) => delta),
      ["Oslo", "Rome"]
    )
  })

  it.each(foreign.filter((provider) => provider !== "chat"))(
    "of a chat caller are functions to %s, and calls of them free text again",
    (provider) => {
      const body = written("chat", ofFreeText.chat, provider)
      assert.deepStrictEqual(asked[provider](body).tools, ["patch"])
      assert.include(JSON.stringify(body), "start: LINE")
      const calls = saying(provider, "patch", "input")
      const options = optionsOf("chat", ofFreeText.chat)
      const answer = Either.getOrThrow(Pair.answer(calls.whole, callers.chat, providers[provider], options))
      const [choice] = answer.choices as readonly [
        { readonly message: { readonly tool_calls: ReadonlyArray<JsonObject> } }
      ]
      const custom = choice.message.tool_calls.map((call) => call.custom)
      assert.deepStrictEqual(custom, [
        { name: "patch", input: "Oslo" },
        { name: "patch", input: "Rome" }
      ])
      const inputs = new Map<unknown, string>()
      for (const { choices } of streamed("chat", ofFreeText.chat, provider, calls)) {
        const [piece] = choices as ReadonlyArray<{ readonly delta: JsonObject }>
        for (const call of (piece?.delta.tool_calls ?? []) as ReadonlyArray<JsonObject>) {
          assert.isUndefined(call.function)
          const { input } = call.custom as { readonly input: string }
          inputs.set(call.index, (inputs.get(call.index) ?? "") + input)
        }
      }
      assert.deepStrictEqual([...inputs.values()], ["Oslo", "Rome"])
    }
  )
})

describe("names of tools that a provider would refuse", () => {
  const long = `mcp__ymir-privileged__${"get_failed_pipeline_jobs_".repeat(4)}`
  const name: Readonly<Record<"chat" | "messages" | "responses" | "gemini", string>> = {
    chat: "files.read/all",
    messages: long,
    responses: long,
    gemini: "files.read:all"
  }
  const asks: Readonly<Record<keyof typeof name, JsonObject>> = {
    chat: {
      model: "m",
      tools: [{ type: "function", function: { name: name.chat, parameters: { type: "object" } } }],
      tool_choice: { type: "function", function: { name: name.chat } },
      messages: [
        { role: "user", content: "Go." },
        {
          role: "assistant",
          tool_calls: [{ id: "c1", type: "function", function: { name: name.chat, arguments: "{}" } }]
        },
        { role: "tool", tool_call_id: "c1", content: "It." }
      ]
    },
    messages: {
      model: "m",
      max_tokens: 10,
      tools: [{ name: name.messages, input_schema: { type: "object" } }],
      tool_choice: { type: "tool", name: name.messages },
      messages: [
        { role: "user", content: "Go." },
        { role: "assistant", content: [{ type: "tool_use", id: "c1", name: name.messages, input: {} }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "c1", content: "It." }] }
      ]
    },
    responses: {
      model: "m",
      tools: [{ type: "function", name: name.responses, parameters: { type: "object" } }],
      tool_choice: { type: "function", name: name.responses },
      input: [
        { role: "user", content: "Go." },
        { type: "function_call", call_id: "c1", name: name.responses, arguments: "{}" },
        { type: "function_call_output", call_id: "c1", output: "It." }
      ]
    },
    gemini: {
      model: "m",
      tools: [{ functionDeclarations: [{ name: name.gemini }] }],
      toolConfig: { functionCallingConfig: { mode: "ANY", allowedFunctionNames: [name.gemini] } },
      contents: [
        { role: "user", parts: [{ text: "Go." }] },
        { role: "model", parts: [{ functionCall: { name: name.gemini, args: {} } }] },
        { role: "user", parts: [{ functionResponse: { name: name.gemini, response: { output: "It." } } }] }
      ]
    }
  }
  const cells = (Object.keys(asks) as ReadonlyArray<keyof typeof asks>).flatMap((origin) =>
    (Object.keys(providers) as ReadonlyArray<Provider>)
      .filter((provider) => provider !== origin && provider !== "ollama")
      .map((provider) => ({ origin, provider }))
  )

  it.each(cells)(
    "are others, the same each time, and come back as they were: $origin to $provider",
    ({ origin, provider }) => {
      const body = asks[origin]
      const sent = JSON.stringify(written(origin, body, provider))
      // Anthropic takes names twice as long.
      if (provider === "messages" && origin === "responses") return assert.include(sent, name.responses)
      assert.notInclude(sent, JSON.stringify(name[origin]))
      const [alias] = /"[A-Za-z0-9_.:-]*_[0-9A-Za-z]{9}"/.exec(sent) ?? [""]
      const said = saying(provider, JSON.parse(alias) as string, "x")
      assert.strictEqual(sent, JSON.stringify(written(origin, body, provider)))
      const whole = Pair.answer(said.whole, callers[origin], providers[provider], optionsOf(origin, body))
      assert.include(JSON.stringify(Either.getOrThrow(whole)), JSON.stringify(name[origin]))
      const events = JSON.stringify(streamed(origin, body, provider, said))
      assert.include(events, JSON.stringify(name[origin]))
      assert.notInclude(events, alias)
    }
  )
})
