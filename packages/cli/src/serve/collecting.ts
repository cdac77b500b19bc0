/** How the garbage of requests is collected. */
import { setFlagsFromString } from "node:v8"

/**
 * Objects of requests stay young until they are garbage. V8 makes them old at once where many of a kind lived long while it
 * warmed up, and whatever these hold is then kept, too, until all is collected: 2 MB of 12 at each collection of the young, in place
 * of 0.3. To be called once all is loaded: code that V8 compiled before is known by the flags that it was compiled under.
 */
export const keepRequestsYoung = (): void => setFlagsFromString("--no-allocation-site-pretenuring")
