/**
 * How long a prompt is, in tokens, without a tokenizer: four characters a token, a token's id as one, media as media.
 */
import { isJsonObject, type JsonObject } from "../json/Json.js"
import * as StandIn from "../json/StandIn.js"
import * as UnreadText from "../json/UnreadText.js"

/** Estimated tokens. */
export interface PromptSize {
  /** All that the provider reads. */
  readonly total: number
  /** The longest single input: a batch of texts is read one by one, and each has the model's window for itself. */
  readonly longest: number
}

/** What an image, a sound or a file counts as: some 1,000 tokens, whatever the length of its encoding. */
const mediaCharacters = 4_000

/** Types of the parts of a message that are no text. */
const mediaTypes: ReadonlySet<string> = new Set([
  "image",
  "image_url",
  "input_image",
  "audio",
  "audio_url",
  "input_audio",
  "video",
  "video_url",
  "input_video",
  "file",
  "input_file",
  "document",
  "media"
])

/** Fields that hold an encoding, whatever the type of their part. */
const mediaFields: ReadonlyArray<string> = [
  "input_audio",
  "image_url",
  "inline_data",
  "inlineData",
  "file_data",
  "fileData"
]

const dataUrl = /^data:[a-z]+\/[^\s,]{1,100},/i

/** Characters of such an address up to where its data begin, at most. */
const longestDataHead = 128

/** Most texts are none by their first letter. */
const isDataUrl = (text: string): boolean =>
  (text.charCodeAt(0) | 0x20) === 0x64 && dataUrl.test(text.slice(0, longestDataHead))

const isMedia = (part: JsonObject): boolean =>
  typeof part.type === "string"
    ? mediaTypes.has(part.type) && !(isJsonObject(part.source) && part.source.type === "text")
    : mediaFields.some((field) => part[field] !== undefined)

interface Measure {
  characters: number
  /** Numbers in lists, which are the ids of tokens where a prompt may be made of them. */
  ids: number
}

/** What a text counts as that begins like this one. */
const charactersOf = (head: string, characters: number): number =>
  isDataUrl(head) ? Math.min(characters, mediaCharacters) : characters

/** Walks iteratively, so that deep input cannot overflow the stack. */
const measure = (value: unknown, seesMedia: boolean): Measure => {
  const sum: Measure = { characters: 0, ids: 0 }
  const stack: Array<unknown> = [value]
  while (stack.length > 0) {
    const top = stack.pop()
    if (typeof top === "string") {
      const facts = top.length < StandIn.shortest ? undefined : StandIn.factsOf(top)
      const { length } = top
      if (facts !== undefined) sum.ids += facts.numbers
      const characters = facts === undefined ? length : facts.characters
      sum.characters += charactersOf(top, characters)
    } else if (Array.isArray(top)) {
      for (const item of top) {
        if (typeof item === "number") sum.ids++
        else stack.push(item)
      }
    } else if (isJsonObject(top)) {
      if (seesMedia && isMedia(top)) sum.characters += Math.min(measure(top, false).characters, mediaCharacters)
      else {
        const unread = UnreadText.within(top)
        for (const key in top) {
          const text = unread?.get(key)
          if (text === undefined) stack.push(top[key])
          else sum.characters += charactersOf(text.head(longestDataHead), text.characters)
        }
      }
    }
  }
  return sum
}

const tokensOf = ({ characters, ids }: Measure): number => ids + Math.ceil(characters / 4)

/** The size of a prompt in text or ids, or of a list of such prompts. */
export const ofInputs = (input: unknown): PromptSize => {
  const sum: Measure = { characters: 0, ids: 0 }
  let ids = 0
  let longest = 0
  for (const item of Array.isArray(input) ? input : [input]) {
    if (typeof item === "number") ids++
    else if (typeof item === "string" && StandIn.numbersOf(item) > 0) ids += StandIn.numbersOf(item)
    else {
      const one = measure(item, true)
      sum.characters += one.characters
      sum.ids += one.ids
      longest = Math.max(longest, tokensOf(one))
    }
  }
  return { total: ids + tokensOf(sum), longest: Math.max(longest, ids) }
}

/** The size of a conversation: of what is said in it, which may hold media, and of the tools. */
export const ofConversation = (said: unknown, tools: unknown): PromptSize => {
  const tokens = Math.ceil((measure(said, true).characters + measure(tools, false).characters) / 4)
  return { total: tokens, longest: tokens }
}
