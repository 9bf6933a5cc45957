/**
 * A gate of a recurrent layer: weights of the input and of the hidden state, a bias, and their quantizers.
 *
 * One quantizer serves both weights: their scale is taken of both. Names are those of Brevitas, so that its state dicts load.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `proxy`, `quant`, `tensor`, `./Layer.ts`, `./Slot.ts`, `./Thread.ts`,
 * `./Weighted.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import type { Module } from "../core/Module.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Cell from "../proxy/Cell.ts"
import type { Origin, Origins } from "../proxy/Origin.ts"
import type { QuantProxy, TrackedModule } from "../proxy/QuantProxy.ts"
import * as Bias from "../quant/Bias.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import type { ResolutionError } from "../tensor/Errors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Random from "../tensor/Random.ts"
import type * as Layer from "./Layer.ts"
import { stateOf } from "./Layer.ts"
import * as Slot from "./Slot.ts"
import * as Thread from "./Thread.ts"
import * as Weighted from "./Weighted.ts"
