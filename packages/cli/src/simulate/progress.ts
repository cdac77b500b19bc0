import type { Progress } from "@switchyard/simulator/Simulation"

/** Where progress is shown. */
interface Terminal {
  readonly isTTY?: boolean | undefined
  readonly write: (text: string) => unknown
}

/** ms between two looks. */
const pace = 200

const left = (ms: number): string => {
  const seconds = Math.ceil(ms / 1000)
  return seconds < 100 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`
}

/** A line on a terminal that says how far it is; nothing where nobody looks. `startedAt` and `now` are wall time in ms. */
export const make = (terminal: Terminal, variants: number, startedAt: number) => {
  let shownAt = Number.NEGATIVE_INFINITY
  let isShown = false
  return {
    show: (index: number, { requests, share, variant }: Progress, now: number): void => {
      if (terminal.isTTY !== true || now - shownAt < pace) return
      shownAt = now
      isShown = true
      const done = (index + share) / variants
      const eta = done > 0.01 ? `, ${left(((now - startedAt) * (1 - done)) / done)} left` : ""
      const place = variants > 1 ? `${index + 1}/${variants} ` : ""
      terminal.write(`\r\u001b[K${place}${variant}: ${Math.floor(share * 100)} %, ${requests} requests${eta}`)
    },
    clear: (): void => {
      if (isShown) terminal.write("\r\u001b[K")
    }
  }
}
