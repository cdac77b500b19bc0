import { getHeapStatistics } from "node:v8"
import * as Time from "@switchyard/core/Time"
import type { Server as Settings } from "../config/GatewayConfig.js"
import { serverDefaults } from "../config/serverSettings.js"
import type { Bounds } from "./calls/ended.js"

const defaultBytesInFlight = (maxBody: number): number =>
  Math.max(maxBody, Math.min(10 * maxBody, 0.75 * getHeapStatistics().heap_size_limit))

/** What requests are held to, with the defaults of what is not set. */
export const boundsOf = (settings: Settings): Bounds => ({
  maxBody: settings.maxBodyBytes ?? serverDefaults.maxBodyBytes,
  maxUpload: settings.maxUpload ?? serverDefaults.maxUpload,
  replayBytes: settings.replayBytes ?? serverDefaults.replayBytes,
  requestTimeout: Time.toMs(settings.requestTimeout ?? serverDefaults.requestTimeout),
  json: {
    maxDepth: settings.maxJsonDepth ?? serverDefaults.maxJsonDepth,
    maxValues: settings.maxJsonValues ?? serverDefaults.maxJsonValues,
    maxNumbers: settings.maxJsonNumbers ?? serverDefaults.maxJsonNumbers
  },
  maxBytesInFlight:
    settings.maxBytesInFlight ?? defaultBytesInFlight(settings.maxBodyBytes ?? serverDefaults.maxBodyBytes),
  maxConcurrent: settings.maxConcurrent ?? serverDefaults.maxConcurrent,
  stream: {
    headerWait: Time.toMs(settings.streamHeaderWait ?? serverDefaults.streamHeaderWait),
    keepAlive: Time.toMs(settings.keepAlive ?? serverDefaults.keepAlive)
  }
})
