import * as tf from "@tensorflow/tfjs-core"
import { TensorQuantizer } from "breve"
import { Law } from "breve/laws"
import * as fc from "fast-check"

/** What every integer quantizer keeps: no more values come out than the bits can name. */
export const fewLevels: Law.Law<TensorQuantizer.TensorQuantizer> = Law.forAll(
  { name: "few levels", states: "|{ q(x) }| <= 2^bitWidth" },
  { from: fc.integer({ min: -50, max: 50 }), step: fc.integer({ min: 1, max: 20 }) },
  (quantizer, { from, step }) =>
    tf.tidy(() => {
      const x = tf.linspace(from, from + 30 * step, 301)
      const { value, bitWidth } = TensorQuantizer.quantize(quantizer, x)
      const [levels, most] = [new Set(value.dataSync()).size, 2 ** (bitWidth.dataSync()[0] ?? 0)]
      return levels <= most || `${levels} levels, more than ${most}`
    })
)
