/**
 * What a quantizer may know about a layer that it serves: the attribute `module`.
 *
 * Room: core (level 2). Imports: tfjs.
 */
import type * as tf from "@tensorflow/tfjs-core"

/** A layer, as the value functions of a declaration see it. */
export interface Module {
  readonly kind: string
  /** the float weight, in TensorFlow.js's layout; a scalar 0 for layers without one */
  readonly weight: tf.Tensor
  readonly bias?: tf.Tensor | undefined
  readonly outChannels: number
  /** the axis of `weight` that counts output channels */
  readonly outputChannelAxis: number
  /** the axis of `weight` that counts input channels; default: the other one of the last two, or the second where the output channels come first */
  readonly inputChannelAxis?: number
}

/** The axis of `weight` that counts input channels. */
export const inputChannelAxis = ({ weight: { rank }, outputChannelAxis, inputChannelAxis }: Module): number =>
  inputChannelAxis ?? (outputChannelAxis === 0 ? 1 : outputChannelAxis === rank - 1 ? rank - 2 : rank - 1)

/** One module, or several that share a proxy. */
export type Modules = Module | readonly [Module, Module, ...ReadonlyArray<Module>]

/** Always a list. */
export const list = (modules: Modules): ReadonlyArray<Module> =>
  Array.isArray(modules) ? (modules as ReadonlyArray<Module>) : [modules as Module]

/** How many layers share the proxy; without a layer it is used alone. */
export const count = (modules: Modules | undefined): number => (modules === undefined ? 1 : list(modules).length)
