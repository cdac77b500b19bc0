/**
 * What becomes of the process when nobody reads its output.
 */

/** What keeps output from being written, in words. */
const reasons: Readonly<Record<string, string>> = { ENOSPC: "the disk is full", EIO: "the terminal is gone" }

let outlives = false

/** From now on the process goes on: what is written is lost. */
export const outlive = (): void => {
  outlives = true
}

/** A reader that has seen enough, like `head`, is no error; it ends a command, but never a server. */
export const watchPipes = (): void => {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (outlives) return
      if (error.code === "EPIPE") process.exit()
      // Where stderr is what fails, nobody hears of it.
      process.exitCode = 1
      if (stream === process.stdout) {
        process.stderr.write(
          `switchyard: the output cannot be written: ${reasons[error.code ?? ""] ?? error.message}\n`
        )
      }
      process.exit()
    })
  }
}
