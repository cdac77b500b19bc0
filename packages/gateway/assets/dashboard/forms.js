// @ts-check
/** Fields of forms, and buttons that do something and show what came of it. */
import { $, element, setText } from "./dom.js"

/** @param {string} id */
export const input = (id) => /** @type {HTMLInputElement} */ ($(id))

/** @param {string} id */
export const textIn = (id) => input(id).value.trim()

/** @param {string} id */
export const numberIn = (id) => (textIn(id) === "" ? null : Number(textIn(id)))

/**
 * Texts by commas.
 * @param {string} id
 */
export const listIn = (id) =>
  textIn(id)
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "")

/**
 * Pairs by commas, `name = meaning`. Fails with what is none.
 * @param {string} id
 * @returns {Record<string, string>}
 */
export const pairsIn = (id) =>
  Object.fromEntries(
    listIn(id).map((pair) => {
      const at = pair.indexOf("=")
      const [name, meaning] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
      if (at < 0 || name === "" || meaning === "") throw new Error(`expected NAME = MODEL, found ${pair}`)
      return [name, meaning]
    })
  )

/**
 * Writes values into fields; what there is none of is empty.
 * @param {Readonly<Record<string, string | number | null>>} values
 */
export const write = (values) => {
  for (const [id, value] of Object.entries(values)) input(id).value = value === null ? "" : String(value)
}

/**
 * What is said of a new thing: what was left empty is not.
 * @param {Readonly<Record<string, unknown>>} fields
 */
export const said = (fields) =>
  Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) => value !== null && !(typeof value === "object" && Object.keys(value ?? {}).length === 0)
    )
  )

/**
 * Does something at the press of a button, and shows all anew. What fails is told in `complaint`.
 * @param {string} complaint
 * @param {() => Promise<void>} show
 */
export const doer = (complaint, show) => {
  /** @param {string} text */
  const complain = (text) => {
    $(complaint).hidden = text === ""
    setText($(complaint), text)
  }
  /**
   * @param {HTMLButtonElement} button
   * @param {() => Promise<void>} run
   */
  return async (button, run) => {
    button.disabled = true
    try {
      await run()
      complain("")
      await show()
    } catch (error) {
      complain(error instanceof Error ? error.message : String(error))
    } finally {
      button.disabled = false
    }
  }
}

/**
 * @param {string} text
 * @param {(button: HTMLButtonElement) => void} pressed
 */
export const button = (text, pressed) => {
  const made = element("button", "", text)
  made.type = "button"
  made.addEventListener("click", () => pressed(made))
  return made
}

/**
 * A button that asks once more before it does what can't be undone.
 * @param {string} text
 * @param {(button: HTMLButtonElement) => void} pressed
 */
export const sureButton = (text, pressed) => {
  let isAsking = false
  const rest = () => {
    isAsking = false
    setText(made, text)
  }
  const made = button(text, () => {
    if (!isAsking) {
      isAsking = true
      return setText(made, `${text}: sure?`)
    }
    rest()
    pressed(made)
  })
  made.addEventListener("blur", rest)
  return made
}
