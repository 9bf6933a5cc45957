import { GptqMath, Matrix } from "breve"
import { Result } from "effect"

/** Two inputs that go together, weights of 0.6 to be integers: `[1, 0]` is nearer to the float product than `[1, 1]`. */
export const example = () => {
  const hessian = Matrix.make(2, 2, [1, 0.9, 0.9, 1])
  const quantize = (_: number, values: Float64Array) => values.map(Math.round)
  const rounded = GptqMath.gptq({ weight: Matrix.make(1, 2, [0.6, 0.6]), quantize }, hessian)
  return Result.getOrThrow(rounded).data
}

export const shows = [1, 0]
