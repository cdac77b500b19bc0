import type { JsonObject } from "@switchyard/core/Json"

/** Requests written after Google's documentation; each says something that the others do not. */
export const requests: Readonly<Record<string, JsonObject>> = {
  text: { contents: [{ role: "user", parts: [{ text: "Hello" }] }] },
  settings: {
    contents: [{ role: "user", parts: [{ text: "Hello" }] }],
    systemInstruction: { role: "user", parts: [{ text: "Be short." }] },
    generationConfig: {
      maxOutputTokens: 100,
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      stopSequences: ["END"],
      seed: 7,
      candidateCount: 2,
      presencePenalty: 0.1,
      frequencyPenalty: -0.1,
      responseModalities: ["TEXT", "IMAGE"],
      responseLogprobs: true,
      logprobs: 3,
      thinkingConfig: { thinkingBudget: 1024, includeThoughts: true },
      speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: "Kore" } } },
      mediaResolution: "MEDIA_RESOLUTION_LOW"
    },
    safetySettings: [{ category: "HARM_CATEGORY_HARASSMENT", threshold: "BLOCK_NONE" }],
    cachedContent: "cachedContents/abc",
    labels: { team: "a" }
  },
  tools: {
    contents: [
      { role: "user", parts: [{ text: "Weather?" }] },
      {
        role: "model",
        parts: [
          { text: "thinking…", thought: true },
          { functionCall: { id: "a", name: "weather", args: { city: "Paris" } }, thoughtSignature: "c2ln" },
          { functionCall: { id: "b", name: "weather", args: { city: "London" } } }
        ]
      },
      {
        role: "user",
        parts: [
          { functionResponse: { id: "a", name: "weather", response: { output: "sunny" } } },
          {
            functionResponse: {
              id: "b",
              name: "weather",
              response: { error: "no such city" },
              parts: [{ inlineData: { mimeType: "image/png", data: "AAAA" } }]
            }
          }
        ]
      }
    ],
    tools: [
      {
        functionDeclarations: [
          {
            name: "weather",
            description: "Tells the weather",
            parameters: {
              type: "OBJECT",
              properties: { city: { type: "STRING", nullable: true } },
              required: ["city"],
              propertyOrdering: ["city"]
            },
            behavior: "BLOCKING"
          }
        ]
      },
      {
        functionDeclarations: [{ name: "time", parametersJsonSchema: { type: "object", additionalProperties: false } }]
      },
      { googleSearch: {} }
    ],
    toolConfig: {
      functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["weather", "time"] },
      retrievalConfig: { languageCode: "en" }
    }
  },
  nameless: {
    contents: [
      { role: "user", parts: [{ text: "Weather?" }] },
      { role: "model", parts: [{ functionCall: { name: "weather", args: {} } }] },
      { role: "function", parts: [{ functionResponse: { name: "weather", response: { temperature: 20, unit: "C" } } }] }
    ],
    toolConfig: { functionCallingConfig: { mode: "VALIDATED" } }
  },
  media: {
    contents: [
      {
        role: "user",
        parts: [
          { inlineData: { mimeType: "image/png", data: "AAAA" } },
          { inlineData: { mimeType: "audio/wav", data: "BBBB" } },
          { inlineData: { mimeType: "application/pdf", data: "CCCC", displayName: "a.pdf" } },
          {
            fileData: { fileUri: "https://www.youtube.com/watch?v=abc" },
            videoMetadata: { startOffset: "1s", endOffset: "2s" }
          },
          { fileData: { mimeType: "image/jpeg", fileUri: "gs://bucket/a.jpg" } },
          {
            fileData: { mimeType: "video/mp4", fileUri: "https://generativelanguage.googleapis.com/v1beta/files/abc" },
            mediaResolution: { level: "MEDIA_RESOLUTION_HIGH" }
          }
        ]
      },
      {
        role: "model",
        parts: [
          { executableCode: { id: "x", language: "PYTHON", code: "print(1)" }, thoughtSignature: "c2ln" },
          { codeExecutionResult: { id: "x", outcome: "OUTCOME_OK", output: "1\n" } },
          { text: "1", thoughtSignature: "c2lnMg==" }
        ]
      }
    ],
    tools: [{ codeExecution: {} }, { urlContext: {} }]
  },
  format: {
    contents: [{ role: "user", parts: [{ text: "Hello" }] }],
    generationConfig: {
      responseMimeType: "application/json",
      responseSchema: { type: "OBJECT", properties: { n: { type: "INTEGER", minimum: 1 } }, required: ["n"] },
      thinkingConfig: { thinkingLevel: "LOW" }
    }
  },
  enum: {
    contents: [{ role: "user", parts: [{ text: "Hello" }] }],
    generationConfig: { responseMimeType: "text/x.enum", responseSchema: { type: "STRING", enum: ["a", "b"] } }
  }
}

/** Answers, likewise. */
export const answers: Readonly<Record<string, JsonObject>> = {
  text: {
    candidates: [{ content: { parts: [{ text: "Hello." }], role: "model" }, finishReason: "STOP", index: 0 }],
    usageMetadata: {
      promptTokenCount: 10,
      candidatesTokenCount: 2,
      totalTokenCount: 12,
      promptTokensDetails: [{ modality: "TEXT", tokenCount: 10 }]
    },
    modelVersion: "gemini-2.5-flash",
    responseId: "r1"
  },
  tools: {
    candidates: [
      {
        content: {
          parts: [
            { text: "I look it up.", thought: true },
            { functionCall: { name: "weather", args: { city: "Paris" } }, thoughtSignature: "c2ln" },
            { functionCall: { name: "weather", args: { city: "London" } } }
          ],
          role: "model"
        },
        finishReason: "STOP",
        finishMessage: "Model generated function call(s).",
        index: 0
      }
    ],
    usageMetadata: {
      promptTokenCount: 100,
      cachedContentTokenCount: 40,
      toolUsePromptTokenCount: 5,
      candidatesTokenCount: 20,
      thoughtsTokenCount: 30,
      totalTokenCount: 155
    },
    modelVersion: "gemini-3-flash",
    responseId: "r2"
  },
  grounded: {
    candidates: [
      {
        content: { parts: [{ text: "Größe: 3 m. Sonst nichts.", thoughtSignature: "c2ln" }], role: "model" },
        finishReason: "STOP",
        groundingMetadata: {
          webSearchQueries: ["q"],
          groundingChunks: [{ web: { uri: "https://a.example", title: "A" } }],
          groundingSupports: [
            { segment: { startIndex: 0, endIndex: 13, text: "Größe: 3 m." }, groundingChunkIndices: [0] }
          ]
        },
        safetyRatings: [{ category: "HARM_CATEGORY_HARASSMENT", probability: "NEGLIGIBLE" }]
      }
    ],
    usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 2, totalTokenCount: 3 },
    createTime: "2026-05-27T16:53:45.443719Z",
    modelVersion: "gemini-2.5-flash",
    responseId: "r3"
  },
  two: {
    candidates: [
      { content: { parts: [{ text: "one" }], role: "model" }, finishReason: "STOP", index: 0 },
      { content: { parts: [{ text: "two" }], role: "model" }, finishReason: "MAX_TOKENS", index: 1 }
    ],
    modelVersion: "gemini-2.5-flash",
    responseId: "r4"
  },
  blocked: {
    promptFeedback: { blockReason: "SAFETY", blockReasonMessage: "no" },
    usageMetadata: { promptTokenCount: 4, totalTokenCount: 4 },
    modelVersion: "gemini-2.5-flash",
    responseId: "r5"
  },
  silent: {
    candidates: [{ content: { role: "model" }, finishReason: "MAX_TOKENS", index: 0 }],
    usageMetadata: { promptTokenCount: 4, totalTokenCount: 14, thoughtsTokenCount: 10 },
    modelVersion: "gemini-2.5-pro",
    responseId: "r6"
  },
  image: {
    candidates: [
      {
        content: {
          parts: [{ inlineData: { mimeType: "image/png", data: "AAAA" }, thoughtSignature: "c2ln" }],
          role: "model"
        },
        finishReason: "STOP",
        index: 0
      }
    ],
    modelVersion: "gemini-3-pro-image",
    responseId: "r7"
  }
}
