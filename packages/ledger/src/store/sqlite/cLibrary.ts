/**
 * Which C library this process has, for packages that bring a binary for each. They ask a report of the process, for which Node looks
 * at all of it: 12 ms of the thread that serves at its start, and again of the ledger's.
 */
import { closeSync, openSync, readSync } from "node:fs"

type Report = Pick<NodeJS.ProcessReport, "getReport">

/** Bytes of a program in which it names what loads it. */
const head = 4096

/** What loads a program of this machine, as the program names it: `ld-linux-x86-64.so.2`; empty where it does not. */
export const loaderOf = (program: string): string => {
  try {
    const file = openSync(program, "r")
    try {
      const bytes = Buffer.alloc(head)
      const text = bytes.toString("latin1", 0, readSync(file, bytes, 0, head, 0))
      return text.startsWith("\x7fELF") ? (/ld-(?:linux|musl)[\w.-]*\.so\.\d/.exec(text)?.[0] ?? "") : ""
    } finally {
      closeSync(file)
    }
  } catch {
    return ""
  }
}

/**
 * Runs what asks a report for the C library alone, with one that tells no more. Where a program names no loader that is known, the
 * report is Node's. `report` is the process's.
 */
export const withShortReport = <A>(
  load: () => A,
  report: Report | undefined = process.report,
  loader = process.platform === "linux" ? loaderOf(process.execPath) : ""
): A => {
  if (report === undefined || loader === "") return load()
  const short = { header: loader.includes("musl") ? {} : { glibcVersionRuntime: loader }, sharedObjects: [loader] }
  const { getReport } = report
  report.getReport = () => short
  try {
    return load()
  } finally {
    report.getReport = getReport
  }
}
