/**
 * A tensor quantizer: parameters, memory, and a pure function from a tensor to its quantized form.
 *
 * Room: core (level 2). Imports: tfjs, `./Brick.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type * as Brick from "./Brick.ts"

/** What quantization answers: the de-quantized value and what it is made of. */
export interface Quantized {
  /** `(q - zeroPoint) * scale`, shaped as the input */
  readonly value: tf.Tensor
  readonly scale: tf.Tensor
  readonly zeroPoint: tf.Tensor
  readonly bitWidth: tf.Tensor
}

export type TensorQuantizer = Brick.Stateful<readonly [x: tf.Tensor], Quantized>

/** Quantizes with the quantizer's initial parameters and memory: for looking at it outside of training. */
export const quantize = (self: TensorQuantizer, x: tf.Tensor, training = false): Quantized =>
  self.apply({ parameters: self.parameters, memory: self.memory, training }, x)[0]
