import { LedgerError } from "../../errors/LedgerError.js"

/** Where a server is, as it may be shown: without a password, and without a user, who may be one and is masked wherever he stands. */
export const placeOf = (url: string): string => {
  try {
    const { host, pathname } = new URL(url)
    return `postgresql://${host}${pathname}`
  } catch {
    return "postgresql://(an address that can't be read)"
  }
}

/** Checks an address before anything is asked of it. */
export const check = (url: string): LedgerError | undefined => {
  const isRight = URL.canParse(url) && /^postgres(ql)?:$/.test(new URL(url).protocol)
  return isRight
    ? undefined
    : new LedgerError({
        reason: "place",
        description: "database_url is no address of Postgres: postgresql://USER:PASSWORD@HOST:5432/DATABASE is one"
      })
}
