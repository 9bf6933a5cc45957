import { GpfqMath, Matrix } from "breve"

/** Two inputs that go together, weights of 0.6 to be integers: `[1, 0]` is nearer to the float product than `[1, 1]`. */
export const example = () => {
  const covariance = Matrix.make(2, 2, [1, 0.9, 0.9, 1])
  const quantize = (_: number, values: Float64Array) => values.map(Math.round)
  const weight = Matrix.make(1, 2, [0.6, 0.6])
  return GpfqMath.gpfq({ weight, quantize }, { quantized: covariance, mixed: covariance }, { keep: "rounded" }).data
}

export const shows = [1, 0]
