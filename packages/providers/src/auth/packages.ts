/**
 * Packages of the clouds, which only those need whose deployments ask by an account: loaded when first used.
 */
import type * as NodeModule from "node:module"
import * as Builtin from "@switchyard/core/Builtin"

/** Packages, and what they are for. The versions are those that the tests run with. */
const optional = {
  "@smithy/signature-v4": { version: "5", for: "requests to Bedrock and SageMaker by an AWS account" },
  "@smithy/eventstream-codec": { version: "4", for: "streams of Bedrock and SageMaker" },
  "@aws-sdk/credential-provider-node": { version: "3", for: "AWS credentials of the environment" },
  "google-auth-library": { version: "11", for: "requests to Vertex AI by a Google account" },
  "@azure/identity": { version: "4", for: "requests to Azure by an Entra account" }
} as const

/** The name of an optional package. */
export type OptionalPackage = keyof typeof optional

/** How packages that are missing come here. */
export const installLine = (names: ReadonlyArray<OptionalPackage>): string =>
  `npm install ${names.map((name) => `${name}@${optional[name].version}`).join(" ")}`

/** A package that is needed is not installed. */
export class MissingPackage extends Error {
  constructor(readonly packageName: OptionalPackage) {
    super(`the package ${packageName} is needed for ${optional[packageName].for}: ${installLine([packageName])}`)
    this.name = "MissingPackage"
  }
}

const isMissing = (error: unknown, name: string): boolean => {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
  return (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") && String(message).includes(name)
}

/** Whether a package is installed where this one finds it. Where nobody can tell, as in a bundle, it is taken to be. */
export const isInstalled = (name: OptionalPackage): boolean => {
  const module = Builtin.find<typeof NodeModule>("node:module")
  if (module === undefined) return true
  try {
    module.createRequire(import.meta.url).resolve(name)
    return true
  } catch (error) {
    return !isMissing(error, name)
  }
}

const loaded = new Map<string, Promise<unknown>>()

/** Loads a package; fails with `MissingPackage` where it is not installed. `A` is what is used of it. */
export const load = <A>(name: OptionalPackage): Promise<A> => {
  let loading = loaded.get(name)
  if (loading === undefined) {
    // By a name that no bundler follows: most installations have none of them.
    const specifier: string = name
    loading = import(/* @vite-ignore */ specifier).catch((error: unknown) => {
      loaded.delete(name)
      throw isMissing(error, name) ? new MissingPackage(name) : error
    })
    loaded.set(name, loading)
  }
  return loading as Promise<A>
}
