/**
 * The attempt tier's tag: services that take a request together with its chosen deployment.
 */
import { Context } from "effect"
import type { AttemptService } from "./Service.js"

/** Answers attempts. A provider's base service provides it; attempt-tier layers wrap it; the Balancer turns it into `LlmService`. */
export class DeploymentService extends Context.Tag("@switchyard/core/DeploymentService")<
  DeploymentService,
  AttemptService
>() {}
