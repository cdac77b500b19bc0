/** Charts as SVG: nothing but what is drawn, so that a page with them needs nothing from elsewhere. */

/** Text as it may stand in HTML and SVG, in attributes too. */
export const escaped = (text: string): string => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)

/** One line of a chart. */
export interface Line {
  readonly name: string
  readonly points: ReadonlyArray<number>
}

/** What a chart is made of. */
export interface ChartOptions {
  readonly title: string
  /** What the numbers are, for example `s`. */
  readonly unit: string
  /** When each point was, in ms. */
  readonly times: ReadonlyArray<number>
  readonly lines: ReadonlyArray<Line>
  /** Times that are shaded, in ms. */
  readonly shaded: ReadonlyArray<readonly [from: number, to: number]>
  /** Lines stand upon each other, as areas. */
  readonly stacked?: boolean
}

const width = 720
const height = 220
const left = 52
const bottom = 24
const top = 26
const colours = [
  "#2563eb",
  "#dc2626",
  "#059669",
  "#d97706",
  "#7c3aed",
  "#0891b2",
  "#be185d",
  "#4d7c0f",
  "#475569",
  "#b45309"
]

const colourOf = (index: number): string => colours[index % colours.length] as string

/** A number of at least this with one or two digits that are not 0. */
const roundUp = (value: number): number => {
  if (!(value > 0)) return 1
  const unit = 10 ** Math.floor(Math.log10(value))
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * unit).find((step) => step >= value) ?? value
}

/** A time for people. */
const clock = (ms: number): string => {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`
}

const short = (value: number): string =>
  value >= 1000 ? `${Number((value / 1000).toPrecision(3))}k` : String(Number(value.toPrecision(3)))

const at = (value: number): string => value.toFixed(1)

/** A chart. */
export const chart = ({ lines, shaded, stacked = false, times, title, unit }: ChartOptions): string => {
  const end = Math.max(1, times.at(-1) ?? 1)
  const x = (ms: number): number => left + ((width - left - 8) * Math.min(ms, end)) / end
  const sums = times.map((_, index) => lines.reduce((sum, { points }) => sum + (points[index] || 0), 0))
  const finite = stacked ? sums : lines.flatMap(({ points }) => points.filter(Number.isFinite))
  const most = (stacked && unit === "%" ? (high: number) => Math.max(1, Math.min(high, 100)) : roundUp)(
    finite.reduce((high, one) => Math.max(high, one), 0)
  )
  const y = (value: number): number => height - bottom - ((height - bottom - top) * value) / most
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<line x1="${left}" x2="${width - 8}" y1="${at(y(share * most))}" y2="${at(y(share * most))}" class="grid"/>` +
      `<text x="${left - 6}" y="${at(y(share * most) + 4)}" text-anchor="end">${escaped(short(share * most))}</text>`
  )
  const hours = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<text x="${at(x(share * end))}" y="${height - 6}" text-anchor="${share === 1 ? "end" : "middle"}">${escaped(clock(share * end))}</text>`
  )
  const shades = shaded.map(
    ([from, to]) =>
      `<rect x="${at(x(from))}" y="${top}" width="${at(Math.max(1, x(to) - x(from)))}" height="${height - bottom - top}" class="shade"/>`
  )
  const base = times.map(() => 0)
  const drawn = lines.map(({ name, points }, index) => {
    const label = `<title>${escaped(name)}</title>`
    if (!stacked) {
      const path = points
        .map((value, i) => [times[i] ?? 0, value] as const)
        .filter(([, value]) => Number.isFinite(value))
        .map(([ms, value]) => `${at(x(ms))},${at(y(value))}`)
      return `<polyline points="${path.join(" ")}" fill="none" stroke="${colourOf(index)}" stroke-width="1.5">${label}</polyline>`
    }
    const under = times.map((ms, i) => `${at(x(ms))},${at(y(base[i] ?? 0))}`).reverse()
    for (const i of times.keys()) base[i] = (base[i] ?? 0) + (points[i] || 0)
    const over = times.map((ms, i) => `${at(x(ms))},${at(y(base[i] ?? 0))}`)
    return `<polygon points="${[...over, ...under].join(" ")}" fill="${colourOf(index)}" fill-opacity="0.75">${label}</polygon>`
  })
  const legend = lines.map(
    ({ name }, index) => `<span><i style="background:${colourOf(index)}"></i>${escaped(name)}</span>`
  )
  const heading = `<text x="${left}" y="16" class="title">${escaped(`${title}${unit === "" ? "" : `, ${unit}`}`)}</text>`
  return (
    `<figure><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">` +
    `${heading}${shades.join("")}${grid.join("")}${hours.join("")}${drawn.join("")}</svg>` +
    `<figcaption>${legend.join(" ")}</figcaption></figure>`
  )
}
