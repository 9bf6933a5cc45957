import * as tf from "@tensorflow/tfjs-core"
import { ClampOp } from "breve"
import { Arbitrary, Law, Sample } from "breve/laws"
import * as fc from "fast-check"

/** Something that holds values between two bounds. */
export interface Clamping {
  readonly name: string
  readonly clamp: (x: tf.Tensor, low: number, high: number) => tf.Tensor
}

/** What is within the bounds is left as it is, NaN is told from numbers, and nothing comes out beyond the bounds. */
export const bounded: Law.Law<Clamping> = Law.forAll(
  { name: "bounded", states: "low <= c(x) <= high, or x is NaN and so is c(x)" },
  { x: Arbitrary.tensor({ spreads: ["bell", "ties", "special"] }), low: fc.integer({ min: -8, max: 0 }) },
  ({ clamp }, { x, low }) =>
    tf.tidy(() => {
      const y = clamp(Sample.toTensor(x), low, 4).dataSync()
      const wrong = [...y.keys()].find((i) =>
        Number.isNaN(x.values[i]) ? !Number.isNaN(y[i]) : !(y[i]! >= low && y[i]! <= 4)
      )
      return wrong === undefined || `element ${wrong}, ${x.values[wrong]}, becomes ${y[wrong]}`
    })
)

/** breve's own, and one that swallows NaN: TensorFlow.js's on its WASM backend. */
export const ours: Clamping = {
  name: "ours",
  clamp: (x, low, high) => ClampOp.between(x, tf.scalar(low), tf.scalar(high))
}
export const theirs: Clamping = { name: "theirs", clamp: (x, low, high) => tf.clipByValue(x, low, high) }
