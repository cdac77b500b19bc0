/**
 * A model group as a speech model of the AI SDK.
 */
import type { SpeechModelV3, SpeechModelV3CallOptions } from "@ai-sdk/provider"
import { provider } from "@switchyard/dialects/Beside"
import type { Defaults } from "./callOptions.js"
import { ask, malformed, unsupported } from "./mediaCall.js"
import type { Run } from "./running.js"

/** Where nobody says whose voice it is: all voices of OpenAI's models have this one. */
const usualVoice = "alloy"

class GroupSpeech implements SpeechModelV3 {
  readonly specificationVersion = "v3"
  readonly provider = provider

  constructor(
    readonly modelId: string,
    private readonly run: Run,
    private readonly defaults: Defaults
  ) {}

  doGenerate(options: SpeechModelV3CallOptions): ReturnType<SpeechModelV3["doGenerate"]> {
    const { instructions, language, outputFormat, speed, text, voice = usualVoice } = options
    const body = { input: text, voice, response_format: outputFormat, instructions, speed }
    const { defaults, modelId: group, run } = this
    return ask({ operation: "speech", group, run, defaults, given: options, body }, (found) => {
      if (found.bytes.length === 0) throw malformed("is no sound")
      const { bytes, providerMetadata, response, warnings } = found
      return {
        audio: bytes,
        warnings: [...warnings, ...unsupported({ language }, "speech has the language of its text")],
        request: { body },
        response,
        providerMetadata: providerMetadata as Record<string, never>
      }
    })
  }
}

/** The speech model of a group. */
export const speechModel = (group: string, run: Run, defaults: Defaults): SpeechModelV3 =>
  new GroupSpeech(group, run, defaults)
