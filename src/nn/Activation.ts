/**
 * Quantized activations: `QuantIdentity` and `QuantReLU`.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `inject`, `proxy`, `quant`, `tensor`, `./Layer.ts`, `./Slot.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import type { Module } from "../core/Module.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import type * as Injector from "../inject/Injector.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import type { ResolutionError } from "../tensor/Errors.ts"
import * as Layer from "./Layer.ts"
import * as Slot from "./Slot.ts"

export interface Options<P, W> {
  readonly actQuant?: Slot.Quant<P, W>
  /** overrides for the activation quantizer of this layer */
  readonly act?: W
  /** answer with scale, zero-point and width; default: the plain value */
  readonly returnQuantTensor?: boolean
}

export interface Activation extends Layer.Layer {
  readonly actQuant: QuantProxy | undefined
}

interface Erased {
  readonly actQuant?: Slot.Erased
  readonly act?: Slot.Overrides
  readonly returnQuantTensor?: boolean
}

const layer = (
  kind: string,
  f: (x: tf.Tensor) => tf.Tensor,
  fallback: Injector.Any,
  options: Erased
): Effect.Effect<Activation, ResolutionError, Scope.Scope> =>
  Effect.gen(function* () {
    const nothing = yield* Effect.acquireRelease(
      Effect.sync(() => tf.scalar(0)),
      (zero) => Effect.sync(() => zero.dispose())
    )
    const module: Module = { kind, weight: nothing, outChannels: 0, outputChannelAxis: 0 }
    const actQuant = yield* Slot.proxyFor("activation", options.actQuant, options.act, fallback, () => module)
    const proxies = actQuant === undefined ? [] : [["actQuant", actQuant] as const]
    const apply: Layer.Layer["apply"] = (states, x, mode) => {
      const y = f(QuantTensor.dequantized(x))
      if (actQuant === undefined) return [y, states]
      const [quantized, after] = Layer.quantize(states, actQuant, y, mode)
      return [options.returnQuantTensor === true ? quantized : QuantTensor.dequantized(quantized), after]
    }
    return { kind, actQuant, proxies, cells: proxies.map(([name, proxy]) => [name, proxy.cell] as const), apply }
  })

/** Quantizes what runs through; 8 bits signed unless told otherwise. */
export const quantIdentity = <P, const W extends Slot.Overrides = {}>(
  options: Options<P, W> = {}
): Effect.Effect<Activation, ResolutionError, Scope.Scope> =>
  layer("QuantIdentity", (x) => x, ScaledInt.Int8ActPerTensorFloat, options as unknown as Erased)

/** `max(x, 0)`, quantized; 8 bits unsigned unless told otherwise. */
export const quantReLU = <P, const W extends Slot.Overrides = {}>(
  options: Options<P, W> = {}
): Effect.Effect<Activation, ResolutionError, Scope.Scope> =>
  layer("QuantReLU", tf.relu, ScaledInt.Uint8ActPerTensorFloat, options as unknown as Erased)
