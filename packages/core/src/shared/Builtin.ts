/**
 * Node's own modules for what is used only where Node is: asked for and not imported, so that everything else can be bundled
 * for other runtimes.
 */

interface Runtime {
  readonly process?: { readonly getBuiltinModule?: (name: string) => unknown }
}

/** The module of that name (`node:zlib`); undefined on runtimes without it, and on Node before 20.16. */
export const find = <A>(name: string): A | undefined =>
  (globalThis as Runtime).process?.getBuiltinModule?.(name) as A | undefined
