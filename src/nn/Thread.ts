/**
 * States on their way through one call of a layer that calls its quantizers many times.
 *
 * Room: nn (level 4). Imports: tfjs types, `core`, `proxy`, `tensor`, `./Layer.ts`, `./Mode.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../core/QuantTensor.ts"
import type { External } from "../core/TensorQuantizer.ts"
import type * as Cell from "../proxy/Cell.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import * as Gradient from "../tensor/Gradient.ts"
import * as Tree from "../tensor/Tree.ts"
import * as Layer from "./Layer.ts"
import { skips } from "./Mode.ts"

/** The states reached so far, and the mode; it lives within one call of `apply`. */
export interface Thread {
  states: Layer.States
  readonly mode: Layer.Mode
}

export const make = (states: Layer.States, mode: Layer.Mode): Thread => ({ states, mode })

/** The new value of a parameter; a gradient by it is taken for a gradient by the old one, from which the step began. */
const replaced = (before: tf.Tensor, after: tf.Tensor): tf.Tensor => {
  const value = Gradient.stopped(after)
  return Gradient.customGradient((_: tf.Tensor) => ({
    value: Gradient.same(value),
    gradient: (dy) => [dy]
  }))(before)
}

/**
 * Collected statistics that have become due since the call began become parameters: what is called once per time step may collect
 * its last one in the middle of a sequence.
 */
const begun = ({ states, mode }: Thread, cell: Cell.Cell): Layer.States => {
  const state = Layer.stateOf(states, cell)
  if (!mode.training || state.quantizer === undefined || skips(mode, state.slot)) return states
  const { parameters: before, memory } = state
  const after = state.quantizer.prepare({ parameters: before, memory, training: true })
  if (after.parameters === before && after.memory === memory) return states
  const old = new Map(Tree.leaves(before))
  const parameters = Tree.map(after.parameters, (tensor, name) => {
    const was = old.get(name)
    return was === undefined || was === tensor ? tensor : replaced(was, tensor)
  })
  return new Map(states).set(cell, { ...state, parameters, memory: after.memory })
}

/** Quantizes what runs through, once more in this call; without a proxy it stays as it is. */
export const activation = (thread: Thread, proxy: QuantProxy | undefined, x: Layer.Value): Layer.Value => {
  if (proxy === undefined) return x
  thread.states = begun(thread, proxy.cell)
  return quantized(thread, proxy, x)
}

/** Quantizes once in this call; without a proxy it stays as it is. */
export const quantized = (
  thread: Thread,
  proxy: QuantProxy | undefined,
  x: Layer.Value,
  external?: External
): Layer.Value => {
  if (proxy === undefined) return x
  const [y, after] = Layer.quantize(thread.states, proxy, QuantTensor.dequantized(x), thread.mode, external)
  thread.states = after
  return y
}

/** Calls a layer within this one. */
export const call = <In, Out extends Layer.Values>(thread: Thread, layer: Layer.Layer<In, Out>, x: In): Out => {
  const [y, after] = layer.apply(thread.states, x, thread.mode)
  thread.states = after
  return y
}
