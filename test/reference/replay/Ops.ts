/**
 * Replays `core/ops_ste`: roundings, signs and clamps bit for bit; powers of two and ranges to the digits of float32.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as View from "../../../src/core/View.ts"
import * as Clamp from "../../../src/op/Clamp.ts"
import * as Minifloat from "../../../src/op/Minifloat.ts"
import * as PowerOfTwo from "../../../src/op/PowerOfTwo.ts"
import * as Range from "../../../src/op/Range.ts"
import * as Round from "../../../src/op/Round.ts"
import * as Sign from "../../../src/op/Sign.ts"
import { type Case, type Outcome, type Replay, unsupported } from "../Case.ts"
import { type Comparison, compared, gradients, on, type Tensors, tensorsOf } from "./Core.ts"

type Formula = (inputs: Tensors, config: any) => tf.Tensor

const ofX =
  (f: (x: tf.Tensor) => tf.Tensor): Formula =>
  ({ x }) =>
    f(x as tf.Tensor)
const within =
  (f: typeof Clamp.within): Formula =>
  ({ x }, { min_val, max_val }) =>
    f(x as tf.Tensor, min_val, max_val)
const above =
  (f: typeof Clamp.notBelow): Formula =>
  ({ x }, { min_val }) =>
    f(x as tf.Tensor, min_val)
const ranged =
  (f: typeof Range.maxInt): Formula =>
  ({ bit_width }, { signed, narrow_range }) =>
    f(bit_width as tf.Tensor, { signed, narrowRange: narrow_range })

interface Op {
  readonly f: Formula
  readonly how: Comparison
  /** gradients of bounds are sums, in any order */
  readonly sums?: true
  /** overwrites its input, which has no gradient from then on */
  readonly overwrites?: true
}
const exact = (f: Formula): Op => ({ f, how: { exact: true } })
/** `round`, `ceil` and `floor` also keep the sign of zero. */
const signedExact = (f: (x: tf.Tensor) => tf.Tensor): Op => ({ f: ofX(f), how: { exact: true, signedZero: true } })
const bounded = (f: typeof Clamp.between): Op => ({
  ...exact(({ x, min_val, max_val }) => f(x as tf.Tensor, min_val as tf.Tensor, max_val as tf.Tensor)),
  sums: true
})
const close = (f: Formula): Op => ({ f, how: {} })

/** What overwrites its input is the pure op: its value is that of the input afterwards. */
const ops: Readonly<Record<string, Op>> = {
  round_ste: signedExact(Round.nearest),
  ceil_ste: signedExact(Round.ceil),
  floor_ste: signedExact(Round.floor),
  round_to_zero_ste: signedExact(Round.toZero),
  dpu_round_ste: signedExact(Round.dpu),
  round_to_zero: signedExact(Round.toZeroFlat),
  dpu_round: signedExact(Round.dpuFlat),
  binary_sign_ste: exact(ofX(Sign.binary)),
  binary_sign: exact(ofX(Sign.binaryFlat)),
  ternary_sign_ste: exact(ofX(Sign.ternary)),
  abs_binary_sign_grad: exact(ofX(Sign.magnitudeRising)),
  abs: exact(ofX(Sign.magnitude)),
  identity: exact(ofX((x) => View.identity.apply(x).clone())),
  tensor_clamp: bounded(Clamp.between),
  tensor_clamp_: { ...bounded(Clamp.between), overwrites: true },
  tensor_clamp_ste: bounded(Clamp.betweenStraightThrough),
  tensor_clamp_ste_: bounded(Clamp.betweenStraightThrough),
  scalar_clamp: exact(within(Clamp.within)),
  scalar_clamp_ste: exact(within(Clamp.withinStraightThrough)),
  clamp_min: exact(above(Clamp.notBelow)),
  scalar_clamp_min_ste: exact(above(Clamp.notBelowStraightThrough)),
  scalar_signed_clamp_min_ste: exact(above(Clamp.atLeast)),
  power_of_two: close(ofX(PowerOfTwo.exp2)),
  log_two: close(ofX(PowerOfTwo.log2)),
  max_int: close(ranged(Range.maxInt)),
  min_int: close(ranged(Range.minInt)),
  compute_max_mantissa: exact((_, config) => tf.scalar(Minifloat.maxMantissa(config.mantissa_bit_width))),
  max_float: close(({ exponent_bit_width, max_mantissa, exponent_bias }) =>
    Minifloat.maxFloat(exponent_bit_width as tf.Tensor, max_mantissa as tf.Tensor, exponent_bias as tf.Tensor)
  ),
  get_upper_bound_on_l1_norm: close(({ accumulator_bit_width, input_bit_width }, { input_is_signed }) =>
    Range.l1Bound(accumulator_bit_width as tf.Tensor, input_bit_width as tf.Tensor, input_is_signed)
  )
}

const evaluated = ({ f, overwrites }: Op, { config, inputs: written, grads = {} }: Case) => {
  const inputs = tensorsOf(written)
  const value = f(inputs, config)
  const names = overwrites ? [] : Object.keys(grads)
  const found =
    names.length === 0 ? {} : gradients((given) => f(given, config), inputs, names, inputs.cotangent as tf.Tensor)
  const none = Object.fromEntries((overwrites ? (config.no_grad_path ?? []) : []).map((name: string) => [name, null]))
  return { outputs: { value, x_after: value }, grads: { ...found, ...none } }
}

const outcomeOf = (op: Op, testCase: Case): Outcome => {
  const found = evaluated(op, testCase)
  if (!op.sums) return compared(testCase, found, op.how)
  const values = compared({ ...testCase, grads: {} }, found, op.how)
  return values.kind === "passed" ? compared(testCase, found) : values
}

export const replay: Replay = (testCase, backend) => {
  const op = ops[testCase.config.op]
  return op === undefined
    ? Promise.resolve(unsupported(`no op "${testCase.config.op}"`))
    : on(backend, () => outcomeOf(op, testCase))
}
