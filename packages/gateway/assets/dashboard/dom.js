// @ts-check
/** The page's elements. Whatever the gateway sends is shown as text only: ids, models and reasons are other people's words. */

/**
 * The page's element with this id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export const $ = (id) => {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export const element = (tag, className, text) => {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}

/**
 * @param {HTMLElement} node
 * @param {string} text
 */
export const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text
}

/**
 * @param {HTMLElement} node
 * @param {string} name
 * @param {string} value
 */
export const setData = (node, name, value) => {
  if (node.dataset[name] !== value) node.dataset[name] = value
}
