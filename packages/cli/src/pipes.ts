/**
 * What becomes of the process when nobody reads its output.
 */

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
      throw error
    })
  }
}
