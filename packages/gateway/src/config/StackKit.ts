/**
 * What a module that a configuration names as its `stack` is given, so that it has to import nothing: whoever installed the
 * gateway need not install its libraries beside it.
 */
import * as LlmError from "@switchyard/core/LlmError"
import * as Service from "@switchyard/core/Service"
import * as Status from "@switchyard/core/Status"
import * as Concern from "@switchyard/router/Concern"
import type { standard } from "@switchyard/router/Router"
import type { AnyStack } from "@switchyard/router/Stack"
import * as State from "@switchyard/router/State"
import { Clock, Context, Effect, Layer, Random, Schema } from "effect"

/** The modules that a stack is made with: the router's own, and those of Effect that a layer needs most. */
export const kit = { Clock, Concern, Context, Effect, Layer, LlmError, Random, Schema, Service, State, Status } as const
/** The modules that a stack is made with. */
export type Kit = typeof kit

/** Makes a stack of the standard one: the default export of a module that a configuration names as its `stack`. */
export type MakeStack = (stack: typeof standard, kit: Kit) => AnyStack | Promise<AnyStack>
