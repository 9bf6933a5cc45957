/**
 * How a layer runs: whether it trains, and what it leaves unquantized. A value that is handed down, never a switch of a model.
 *
 * Room: nn (level 4). Imports: types of tfjs and `proxy`. Laws: test/nn/Proxies.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type { QuantProxy, Slot } from "../proxy/QuantProxy.ts"

/** How a layer computes: training or evaluation, with all quantizers or without some. */
export interface Mode {
  /** quantizers collect statistics and use what they are learning; default: false */
  readonly training: boolean
  /**
   * What is not quantized, by the slot that its quantizer was made for; absent: everything is. These quantizers hand on what they
   * get, and neither collect nor learn. What depends on the format of a value that is plain then, such as a bias on the scale of
   * its layer's products, is not quantized either; and layers asked for quant tensors answer plain ones where nothing has a format.
   */
  readonly without?: ReadonlySet<Slot> | undefined
  /** told of what each quantizer that is left out gets: for whoever observes a model in floats */
  readonly watch?: ((proxy: QuantProxy, x: tf.Tensor) => void) | undefined
}
/** As a trained model is used: statistics and memory stay as they are. */
export const evaluation: Mode = { training: false }
/** As a model learns: statistics are collected. */
export const training: Mode = { training: true }

/** The slots of what a layer learns. */
export const parameterSlots: ReadonlyArray<Slot> = ["weight", "bias"]
/** The slots of what runs through layers. */
export const activationSlots: ReadonlyArray<Slot> = ["input", "output", "activation"]

/**
 * The same mode with some of the quantization switched off, all of it by default: what a model computes in floats.
 *
 * ```ts
 * Layer.forward(model, x, Layer.without(Layer.evaluation))
 * Layer.forward(model, x, Layer.without(Layer.training, Layer.activationSlots))
 * ```
 *
 * @category modes
 * @since 0.3.0
 */
export const without = (mode: Mode, slots: Iterable<Slot> = [...parameterSlots, ...activationSlots]): Mode => ({
  ...mode,
  without: new Set([...(mode.without ?? []), ...slots])
})

/** Whether quantizers of a slot hand on what they get. */
export const skips = (mode: Mode, slot: Slot | undefined): boolean =>
  slot !== undefined && mode.without?.has(slot) === true

/** Whether values may be plain that have a format otherwise. */
export const mayBePlain = ({ without }: Mode): boolean => without !== undefined && without.size > 0
