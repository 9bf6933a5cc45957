/**
 * What the networks of small widths have in common besides their quantizers.
 *
 * Room: cli (level 6). Imports: tfjs, `nn`.
 */
import * as tf from "@tensorflow/tfjs-core"
import type * as Layer from "../nn/Layer.ts"
import * as Model from "../nn/Model.ts"

/** How many bits weights, activations and the input have. */
export interface Widths {
  readonly weightBits: number
  readonly actBits: number
  readonly inputBits: number
}

/** Grey values from 0 to 1 become -1 to 1. */
export const centre: Layer.Layer = Model.stateless("Centre", (x) => tf.sub(tf.mul(x, 2), 1))
