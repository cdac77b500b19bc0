/** File descriptors of a process, and who is at the other end of its sockets, as Linux tells it. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs"

const states: { readonly [code: string]: string } = {
  "01": "established",
  "02": "connecting",
  "04": "closing",
  "05": "closing",
  "08": "closed by the other side",
  "0A": "listening"
}

/** Upstreams by their port. */
type Named = ReadonlyMap<number, string>

const portOf = (address = ""): number => Number.parseInt(address.split(":")[1] ?? "", 16)

const targets = (pid: number): ReadonlyArray<string> =>
  readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      return []
    }
  })

/** The TCP sockets among them: the upstream that each leads to, if any, and its state. */
const tcp = (pid: number, links: ReadonlyArray<string>, named: Named) => {
  const own = new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]))
  return readFileSync(`/proc/${pid}/net/tcp`, "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , , , , , , , inode]) => own.has(inode))
    .map(([, , remote, state = ""]) => ({ upstream: named.get(portOf(remote)), state: states[state] ?? state }))
}

/** How many there are, but for connections to upstreams: those are kept as long as an upstream says that they may be. */
export const descriptors = (pid: number, named: Named): number => {
  const links = targets(pid)
  return links.length - tcp(pid, links, named).filter(({ upstream }) => upstream !== undefined).length
}

/** TCP sockets counted by what is at the other end and how they stand. */
export const sockets = (pid: number, named: Named): string => {
  const counts = new Map<string, number>()
  for (const { state, upstream = "callers" } of tcp(pid, targets(pid), named)) {
    const text = `${upstream} ${state}`
    counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  return [...counts].map(([text, count]) => `${count} ${text}`).join(", ")
}
