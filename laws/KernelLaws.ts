/**
 * The laws of kernels: a kernel is the composition of standard operations that defines it, in value and gradients, whatever the shapes
 * and numbers; and it only reads what it is given.
 *
 * Sums are compared to the bit, too: elements are eighths of small whole numbers, whose sums and products float32 has exactly in every
 * order. Where special numbers are among them, and in the gradients of scales, sums are compared to their rounding.
 *
 * Room: laws. Imports: fast-check, tfjs, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import * as Bits from "./Bits.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** What a call is made of, in a few numbers. */
export interface Call {
  /** up to four axes; some are 0 */
  readonly sizes: ReadonlyArray<number>
  /** picks among options */
  readonly choice: number
  /** the elements */
  readonly seed: number
  /** whether NaN, infinities, subnormals and zeros of both signs are among them */
  readonly special: boolean
}

type Op = (...inputs: ReadonlyArray<tf.Tensor>) => tf.Tensor

/** One call, ready to be made. */
export interface Made {
  readonly inputs: ReadonlyArray<tf.Tensor>
  readonly op: Op
  readonly definition: Op
}

/** What the laws are about. */
export interface Kernel {
  readonly name: string
  /** the kernels that run; where one is not there, no law is claimed */
  readonly kernels: ReadonlyArray<string>
  readonly make: (call: Call) => Made
  /**
   * How far a sum may be from the definition's, relative to the sum of the magnitudes of the gradient that comes in; absent: the value
   * and all gradients have the same bits. The first number is that of the value.
   */
  readonly slack?: ReadonlyArray<number>
}

// ---- numbers ------------------------------------------------------------------------------------------------

/** Repeatable whole numbers below 2^16. */
export const numbersFrom = (seed: number): (() => number) => {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b) >>> 0
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return (state >>> 8) & 0xffff
  }
}

const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 1e-40, -1e-40, 3e38, -2.5, 0.5]

/** A tensor of eighths within a reach, ties among them; now and then a special number. */
export const tensorOf = (
  shape: ReadonlyArray<number>,
  { seed, special }: Pick<Call, "seed" | "special">,
  reach = 64
): tf.Tensor => {
  const next = numbersFrom(seed)
  const element = (): number =>
    special && next() % 6 === 0
      ? (specials[next() % specials.length] as number)
      : ((next() % (2 * reach + 1)) - reach) / 8
  return tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, element), [...shape], "float32")
}

/** Calls of up to four axes. */
export const call: fc.Arbitrary<Call> = fc.record({
  sizes: fc.tuple(
    ...[4, 5, 6, 9].map((max) =>
      fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 9, arbitrary: fc.integer({ min: 1, max }) })
    )
  ),
  choice: fc.nat(1000),
  seed: fc.nat(1e6),
  special: fc.boolean()
})

// ---- outcomes -----------------------------------------------------------------------------------------------

/** A tensor as numbers. */
export interface Numbers {
  readonly shape: ReadonlyArray<number>
  readonly values: Float32Array
}
const numbersOf = (x: tf.Tensor): Numbers => ({ shape: x.shape, values: x.dataSync().slice() as Float32Array })

/** The value, then the gradients; none of nothing: tfjs's own fail where an axis has no element. */
export interface Outcome {
  readonly value: Numbers
  readonly gradients: ReadonlyArray<Numbers>
  /** the sum of the magnitudes of the gradient that came in */
  readonly mass: number
}

/** What an operation makes of inputs; the gradient that comes in has small whole numbers. */
export const outcome = (op: Op, inputs: ReadonlyArray<tf.Tensor>, seed: number): Outcome => {
  const floats = inputs.filter(({ dtype }) => dtype === "float32")
  const over = (...some: ReadonlyArray<tf.Tensor>): tf.Tensor => {
    const left = [...some]
    // tfjs knows no gradient of a function that answers its input
    return tf.clone(op(...inputs.map((x) => (x.dtype === "float32" ? (left.shift() as tf.Tensor) : x))))
  }
  const found: { outcome?: Outcome } = {}
  tf.tidy(() => {
    const y = op(...inputs)
    const value = numbersOf(y)
    const next = numbersFrom(seed + 1)
    const dy = Float32Array.from({ length: y.size }, () => (next() % 9) - 4)
    const mass = dy.reduce((sum, g) => sum + Math.abs(g), 0)
    const nothing = y.size === 0 || floats.some(({ size }) => size === 0)
    const gradients = nothing
      ? []
      : tf
          .grads(over)([...floats], tf.tensor(dy, y.shape, "float32"))
          .map(numbersOf)
    found.outcome = { value, gradients, mass }
  })
  return found.outcome as Outcome
}

const near = (
  got: Numbers,
  wanted: Numbers,
  slack: number | undefined,
  mass: number,
  what: string
): string | undefined => {
  if (!tf.util.arraysEqual([...got.shape], [...wanted.shape]))
    return `${what} has the shape [${got.shape}], not [${wanted.shape}]`
  // the sign of a zero sum depends on the order
  if (slack === undefined) return Bits.difference(got.values, wanted.values, (i) => `${what}[${i}]`)
  const wrong = wanted.values.findIndex((w, i) => {
    const g = got.values[i] as number
    if (!Number.isFinite(w)) return Number.isFinite(g) // infinities meet in one order and not in another
    return !(Math.abs(g - w) <= slack * mass)
  })
  return wrong === -1 ? undefined : `${what}[${wrong}] is ${got.values[wrong]}, not ${wanted.values[wrong]}`
}

/** Where two outcomes differ, in words. */
export const difference = (
  got: Outcome,
  wanted: Outcome,
  slack: ReadonlyArray<number> | undefined
): string | undefined => {
  if (got.gradients.length !== wanted.gradients.length) return "the numbers of gradients differ"
  const all = [got.value, ...got.gradients]
  for (const [i, one] of [wanted.value, ...wanted.gradients].entries()) {
    const what = i === 0 ? "y" : `dx${i}`
    const room = slack?.[i]
    const wrong = near(all[i] as Numbers, one, room === undefined || room < 0 ? undefined : room, wanted.mass + 1, what)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

const missing = ({ kernels }: Kernel): string | undefined => {
  const absent = kernels.find((name) => tf.getKernel(name, tf.getBackend()) === undefined)
  return absent === undefined ? undefined : `the backend ${tf.getBackend()} has no ${absent}`
}
const about = (statement: Omit<Law.Statement<Kernel>, "claimed" | "unclaimed">): Law.Statement<Kernel> => ({
  ...statement,
  claimed: "on backends that have the kernel",
  unclaimed: missing
})

// ---- laws ---------------------------------------------------------------------------------------------------

/** The value is that of the definition. */
export const valued: Law.Law<Kernel> = Law.forAll(
  about({
    name: "a kernel is its composition",
    states: "kernel(x) = composition(x), to the bit or the rounding of sums"
  }),
  { call },
  ({ make, slack }, { call }) =>
    tf.tidy(() => {
      const { inputs, op, definition } = make(call)
      const [got, wanted] = [op, definition].map((f) => ({ value: numbersOf(f(...inputs)), gradients: [], mass: 1 }))
      return difference(got as Outcome, wanted as Outcome, slack) ?? true
    }) as unknown as Law.Holds
)

/** So are the gradients. */
export const differentiated: Law.Law<Kernel> = Law.forAll(
  about({ name: "its gradients are those of its composition", states: "d kernel = d composition" }),
  { call },
  ({ make, slack }, { call }) =>
    tf.tidy(() => {
      const { inputs, op, definition } = make(call)
      return difference(outcome(op, inputs, call.seed), outcome(definition, inputs, call.seed), slack) ?? true
    }) as unknown as Law.Holds
)

/** What is given is only read, also where it is another tensor's, and the same call has the same bits. */
export const reading: Law.Law<Kernel> = Law.forAll(
  about({ name: "inputs are only read", states: "x is as before; kernel(view of x) = kernel(x) = kernel(x) again" }),
  { call },
  ({ make }, { call }) =>
    tf.tidy(() => {
      const { inputs, op } = make(call)
      const before = inputs.map(numbersOf)
      const once = outcome(op, inputs, call.seed)
      // views share their elements with other tensors
      const views = inputs.map((x) => tf.reshape(tf.reshape(x, [x.size]), x.shape))
      const again = outcome(op, views, call.seed)
      const changed = inputs.map((x, i) => near(numbersOf(x), before[i] as Numbers, undefined, 0, `x${i + 1}`))
      return changed.find((one) => one !== undefined) ?? difference(again, once, undefined) ?? true
    }) as unknown as Law.Holds
)

/** Every law of kernels. */
export const all: ReadonlyArray<Law.Law<Kernel>> = [valued, differentiated, reading]
