/**
 * The dashboard's files, read once. The page holds no data: it asks the admin endpoints for it, with the master key.
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"

/** One file as it goes out. */
export interface Asset {
  readonly contentType: string
  readonly body: Uint8Array
  /** With its quotes. */
  readonly etag: string
}

const require = createRequire(import.meta.url)

const own = (name: string): URL => new URL(`../../assets/${name}`, import.meta.url)

const asset = (file: URL | string, contentType: string): Asset => {
  const body = readFileSync(file)
  return { contentType, body, etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"` }
}

/** The modules of the page's script; `dashboard.js` is the one that begins. */
const modules = [
  "charts",
  "connection",
  "dashboard",
  "dom",
  "fleet",
  "forms",
  "keyForm",
  "keys",
  "live",
  "pages",
  "rows",
  "spend",
  "table",
  "teams",
  "terms",
  "words"
]

/** The package exports its ES module under its name alone, which `require` takes for the other one. */
const eventsourceParser = (): URL =>
  new URL("dist/index.js", pathToFileURL(require.resolve("eventsource-parser/package.json")))

/** Whether a path is one of the dashboard's. */
export const isAt = (path: string): boolean => path === "/" || path === "/favicon.ico" || path.startsWith("/dashboard/")

/** The files by their paths; `/` is the page. Throws when the package was installed without them. */
export const load = (): ReadonlyMap<string, Asset> => {
  const script = "text/javascript; charset=utf-8"
  const style = "text/css; charset=utf-8"
  const icon = asset(own("dashboard.svg"), "image/svg+xml")
  return new Map([
    ["/", asset(own("dashboard.html"), "text/html; charset=utf-8")],
    ...modules.map((name) => [`/dashboard/${name}.js`, asset(own(`dashboard/${name}.js`), script)] as const),
    ["/dashboard/dashboard.css", asset(own("dashboard.css"), style)],
    ["/dashboard/uplot.js", asset(require.resolve("uplot/dist/uPlot.esm.js"), script)],
    ["/dashboard/eventsource-parser.js", asset(eventsourceParser(), script)],
    ["/dashboard/uplot.css", asset(require.resolve("uplot/dist/uPlot.min.css"), style)],
    ["/dashboard/icon.svg", icon],
    ["/favicon.ico", icon]
  ])
}

/** Headers that keep the page to itself: nothing from elsewhere runs in it, and nobody else shows it in a frame. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin"
}
