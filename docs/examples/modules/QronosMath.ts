import { Matrix, QronosMath } from "breve"
import { Result } from "effect"

/** Weights of 0.6 to be integers; in the quantized network the first input is only 0.8 times what it should be. */
export const example = () => {
  const quantize = (_: number, values: Float64Array) => values.map(Math.round)
  const rounded = QronosMath.qronos(
    { weight: Matrix.make(1, 2, [0.6, 0.6]), quantize },
    { quantized: Matrix.make(2, 2, [0.64, 0.4, 0.4, 1]), mixed: Matrix.make(2, 2, [0.8, 0.4, 0.5, 1]) },
    { keep: "rounded" }
  )
  return Result.getOrThrow(rounded).data
}

export const shows = [1, 1]
