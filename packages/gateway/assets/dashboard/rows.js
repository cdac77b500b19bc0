// @ts-check
/** Tables that are made anew whenever they are shown. */
import { $, element } from "./dom.js"

/** @typedef {{ readonly text: string, readonly title?: string, readonly className?: string } | Node} Cell */

/**
 * A row; the first cell is what it is about.
 * @param {ReadonlyArray<readonly [label: string, cell: Cell]>} cells
 */
export const rowOf = (cells) => {
  const row = element("tr")
  for (const [label, cell] of cells) {
    const made = element("td")
    if (label !== "") made.dataset["label"] = label
    if (cell instanceof Node) made.append(cell)
    else {
      // Its own direction: a name that turns the text around turns nothing beside itself.
      const text = element("bdi", "", cell.text)
      if (cell.title !== undefined) text.title = cell.title
      made.className = cell.className ?? ""
      made.append(text)
    }
    row.append(made)
  }
  return row
}

/**
 * @param {string} id
 * @param {ReadonlyArray<Node>} rows
 */
export const fill = (id, rows) => {
  const [body] = /** @type {HTMLTableElement} */ ($(id)).tBodies
  body?.replaceChildren(...rows)
}
