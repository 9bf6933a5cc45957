/**
 * Functions of single numbers as chains of steps, run on the host: for the few numbers of a scale, where an operation of a backend
 * costs more than all of its arithmetic. Each step is rounded to float32, so that a chain has the bits of its operations.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`. Laws: test/op/Pointwise.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Float32 from "../tensor/Float32.ts"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"

/** A function of one number and its gradient; what they answer is rounded to float32. */
export interface Step {
  readonly value: (x: number) => number
  readonly gradient: (dy: number, x: number, y: number) => number
}

const abs = Math.abs
const fround = Math.fround
const ceil = Math.ceil
const floor = Math.floor
const passed = (dy: number): number => dy

// ---- steps --------------------------------------------------------------------------------------------------

/**
 * The distance from 0, flat there: as `Sign.magnitude`.
 *
 * - formula:  `y = |x|`
 * - shapes:   one number -> one number
 * - gradient: `dx = dy sgn(x)`
 * - errors:   none; NaN stays NaN
 * - source:   none
 *
 * @category pointwise
 * @since 0.3.0
 */
export const magnitude: Step = {
  value: abs,
  gradient: (dy, x) => dy * (x > 0 ? 1 : x < 0 ? -1 : 0)
}

const ln2 = fround(Math.LN2)
/**
 * A power of two: as `PowerOfTwo.exp2`.
 *
 * - formula:  `y = 2^x`
 * - shapes:   one number -> one number
 * - gradient: `dx = dy y ln(2)`
 * - errors:   none; NaN stays NaN
 * - source:   none
 *
 * @category pointwise
 * @since 0.3.0
 */
export const exp2: Step = { value: Float32.exp2, gradient: (dy, _, y) => fround(dy * y) * ln2 }

/**
 * Roundings with the gradient of the identity: as those of `Round`.
 *
 * - formula:  `y = rne(x)`, `floor(x)` or `ceil(x)`
 * - shapes:   one number -> one number
 * - gradient: `dx = dy` (straight-through)
 * - errors:   none; NaN stays NaN
 * - source:   Bengio, Leonard, Courville 2013, arXiv:1308.3432
 *
 * @category pointwise
 * @since 0.3.0
 */
export const roundings: Readonly<Record<"nearest" | "floor" | "ceil", Step>> = {
  nearest: { value: Float32.nearest, gradient: passed },
  floor: { value: floor, gradient: passed },
  ceil: { value: ceil, gradient: passed }
}

/**
 * No magnitude below a bound, with the gradient of the identity: as `Clamp.atLeast`.
 *
 * - formula:  `y = x` where `|x| >= |min|`, else `|min|` with the sign of x, positive at 0
 * - shapes:   one number -> one number
 * - gradient: `dx = dy` (straight-through)
 * - errors:   none; NaN stays NaN
 * - source:   Brevitas, function/ops_ste.py (scalar_signed_clamp_min_ste)
 *
 * @category pointwise
 * @since 0.3.0
 */
export const atLeast = (min: number): Step => {
  const bound = fround(abs(min))
  return { value: (x) => (abs(x) < bound ? (x >= 0 ? bound : -bound) : x), gradient: passed }
}

/**
 * A quotient.
 *
 * - formula:  `y = x / divisor`
 * - shapes:   one number -> one number
 * - gradient: `dx = dy / divisor`
 * - errors:   none; NaN stays NaN
 * - source:   none
 *
 * @category pointwise
 * @since 0.3.0
 */
export const over = (divisor: number): Step => {
  const by = fround(divisor)
  return { value: (x) => x / by, gradient: (dy) => dy / by }
}

// ---- operations ---------------------------------------------------------------------------------------------

/** So many numbers are taken to be few; above, backends are faster. */
export const few = 4096

/**
 * The number that a chain makes of a number.
 *
 * - formula:  `y = last(... second(first(x)))`, rounded to float32 after each step
 * - shapes:   one number -> one number
 * - gradient: none: numbers, no tensors
 * - errors:   none; each step says what it makes of NaN
 * - source:   none
 *
 * @category pointwise
 * @since 0.3.0
 */
export const number = (steps: ReadonlyArray<Step>, x: number): number =>
  steps.reduce((value, step) => fround(step.value(value)), fround(x))

/** One step of all numbers. */
const advance = (from: Float32Array, { value }: Step): Float32Array => {
  const to = new Float32Array(from.length)
  for (let i = 0; i < from.length; i++) to[i] = value(from[i] as number)
  return to
}

const goBack = (dy: Float32Array, { gradient }: Step, from: Float32Array, to: Float32Array): Float32Array => {
  const dx = new Float32Array(dy.length)
  for (let i = 0; i < dy.length; i++) dx[i] = gradient(dy[i] as number, from[i] as number, to[i] as number)
  return dx
}

const make = (values: Float32Array, shape: ReadonlyArray<number>): tf.Tensor =>
  tf.engine().makeTensor(values, [...shape], "float32")

/**
 * A chain of steps on each element.
 *
 * - formula:  `y = last(... second(first(x)))`
 * - shapes:   `x [...d] -> y [...d]`, or another shape of as many elements
 * - gradient: those of the steps, from the last one to the first
 * - errors:   none; each step says what it makes of NaN
 * - source:   none
 *
 * @category pointwise
 * @since 0.3.0
 */
export const chain = (x: tf.Tensor, steps: ReadonlyArray<Step>, shape: ReadonlyArray<number> = x.shape): tf.Tensor => {
  if (!Gradient.isRecorded()) return make(steps.reduce(advance, Host.floats(x)), shape)
  return Gradient.customGradient((x: tf.Tensor) => {
    const values = [Host.floats(x)]
    for (const step of steps) values.push(advance(values.at(-1) as Float32Array, step))
    const back = (dy: Float32Array, i: number): Float32Array =>
      i < 0 ? dy : back(goBack(dy, steps[i] as Step, values[i] as Float32Array, values[i + 1] as Float32Array), i - 1)
    return {
      value: make(values.at(-1) as Float32Array, shape),
      gradient: (dy) => [make(back(Host.floats(dy), steps.length - 1), x.shape)]
    }
  })(x)
}
