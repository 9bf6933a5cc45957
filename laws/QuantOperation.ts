/**
 * Operations of quant tensors, what each is of plain values and of integers, and operands in a few numbers: a width, a sign, a scale, a
 * zero-point, a shape and a seed.
 *
 * Room: laws. Imports: fast-check, tfjs, effect's `Result`, `core`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Result } from "effect"
import * as fc from "fast-check"
import * as QuantTensor from "../src/core/QuantTensor.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

export type Quant = QuantTensor.QuantTensor
type Answer = Result.Result<QuantTensor.Value, { readonly message: string }>

/** What the laws are about. */
export interface Algebra {
  readonly name: string
  readonly add: (a: Quant, b: Quant) => Answer
  readonly sub: (a: Quant, b: Quant) => Answer
  readonly mul: (a: Quant, b: Quant) => Answer
  readonly matMul: (a: Quant, b: Quant) => Answer
  readonly neg: (x: Quant) => QuantTensor.Value
  readonly abs: (x: Quant) => QuantTensor.Value
  readonly relu: (x: Quant) => QuantTensor.Value
  readonly concat: (values: ReadonlyArray<Quant>, axis: number) => Answer
  readonly reshape: (x: Quant, shape: ReadonlyArray<number>) => Answer
  readonly transpose: (x: Quant, order: ReadonlyArray<number>) => Answer
  readonly slice: (x: Quant, begin: ReadonlyArray<number>, size: ReadonlyArray<number>) => Answer
  readonly tile: (x: Quant, repetitions: ReadonlyArray<number>) => Answer
  /** the integers of a quant tensor */
  readonly int: (x: Quant) => tf.Tensor
  /** whether its value lies on its grid, within its width */
  readonly isValid: (x: Quant) => boolean
}

/** breve's own. */
export const algebra: Algebra = { name: "breve's quant tensors", ...QuantTensor }

// ---- cases --------------------------------------------------------------------------------------------------

/** A quant tensor of two axes, in a few numbers. */
export interface Described {
  readonly bits: number
  readonly signed: boolean
  readonly zeroPoint: number
  /** whether each column has a scale of its own */
  readonly perColumn: boolean
  readonly seed: number
}

const described = fc.record({
  bits: fc.integer({ min: 2, max: 8 }),
  signed: fc.boolean(),
  zeroPoint: fc.oneof(fc.constant(0), fc.integer({ min: -9, max: 9 })),
  perColumn: fc.boolean(),
  seed: fc.nat(1e6)
})
const size = fc.integer({ min: 1, max: 4 })
/** Powers of two: then products and sums are exact. */
const exponent = fc.integer({ min: -6, max: 3 })

const noise = (seed: number, i: number): number => (Math.imul(seed + 1 + i * 7919, 2654435761) >>> 8) % 1024

/** Integers of the width, the extreme ones often. */
const wholeNumbers = ({ bits, signed, seed }: Described, count: number): ReadonlyArray<number> => {
  const low = signed ? -(2 ** (bits - 1)) : 0
  const high = low + 2 ** bits - 1
  return Array.from({ length: count }, (_, i) => {
    const n = noise(seed, i)
    return n % 4 === 0 ? low : n % 4 === 1 ? high : low + (n % (high - low + 1))
  })
}

export const make = (of: Described, rows: number, columns: number, scale: number): Quant => {
  const scales = of.perColumn
    ? tf.tensor2d([Array.from({ length: columns }, (_, i) => scale * 2 ** i)])
    : tf.scalar(scale)
  const zeroPoint = tf.scalar(of.zeroPoint)
  const whole = tf.tensor2d([...wholeNumbers(of, rows * columns)], [rows, columns])
  return QuantTensor.make({
    value: tf.mul(tf.sub(whole, zeroPoint), scales),
    scale: scales,
    zeroPoint,
    bitWidth: tf.scalar(of.bits),
    signed: of.signed,
    training: false
  })
}

export const parts = { a: described, b: described, rows: size, columns: size, exponent }
export interface Case {
  readonly a: Described
  readonly b: Described
  readonly rows: number
  readonly columns: number
  readonly exponent: number
}

// ---- operations ---------------------------------------------------------------------------------------------

type Plain = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor

/** An operation, what it is of plain values, and what of integers. */
export interface Operation {
  readonly run: (algebra: Algebra, a: Quant, b: Quant) => Answer | QuantTensor.Value
  readonly plain: Plain
  /** of integers around their zero-points */
  readonly ofIntegers: Plain
  /** which operands it takes; default: any of the same scale */
  readonly of?: (described: Described) => Described
}

const centred = (of: Described): Described => ({ ...of, zeroPoint: 0 })
const oneScale = (of: Described): Described => ({ ...centred(of), perColumn: false })
const both = (run: Operation["run"], plain: Plain, of?: Operation["of"]): Operation => ({
  run,
  plain,
  ofIntegers: plain,
  ...(of !== undefined && { of })
})

export const operations: Readonly<Record<string, Operation>> = {
  add: both((q, a, b) => q.add(a, b), tf.add),
  sub: both((q, a, b) => q.sub(a, b), tf.sub),
  mul: both((q, a, b) => q.mul(a, b), tf.mul, centred),
  matMul: both(
    (q, a, b) =>
      Result.flatMap(q.transpose(b, [1, 0]), (turned) => {
        const product = q.matMul(a, turned as Quant)
        QuantTensor.dispose(turned)
        return product
      }),
    (a, b) => tf.matMul(a, b, false, true),
    oneScale
  ),
  neg: both((q, a) => q.neg(a), tf.neg),
  abs: both((q, a) => q.abs(a), tf.abs),
  relu: both((q, a) => q.relu(a), tf.relu, centred),
  "concat of columns": both(
    (q, a, b) => q.concat([a, b], 1),
    (a, b) => tf.concat([a, b], 1)
  ),
  "concat of rows": both(
    (q, a, b) => q.concat([a, b], 0),
    (a, b) => tf.concat([a, b], 0)
  ),
  transpose: both(
    (q, a) => q.transpose(a, [1, 0]),
    (a) => tf.transpose(a, [1, 0])
  ),
  reshape: both(
    (q, a) => q.reshape(a, [1, -1]),
    (a) => tf.reshape(a, [1, -1])
  ),
  slice: both(
    (q, a) => q.slice(a, [0, a.value.shape[1] === 1 ? 0 : 1].slice(0, 2), [-1, -1]),
    (a) => tf.slice(a, [0, a.shape[1] === 1 ? 0 : 1], [-1, -1])
  ),
  tile: both(
    (q, a) => q.tile(a, [2, 3]),
    (a) => tf.tile(a, [2, 3])
  )
}

export const operation = fc.constantFrom(...Object.keys(operations))

export const answered = (answer: Answer | QuantTensor.Value): QuantTensor.Value => {
  if (!Result.isResult(answer)) return answer
  if (Result.isFailure(answer)) throw new Error(answer.failure.message)
  return answer.success
}

/** The operands of a case, whose joined operations need widths and signs that agree, and what the operation makes of them. */
export const done = (subject: Algebra, name: string, given: Case) => {
  const found = operations[name] as Operation
  const of = found.of ?? ((x: Described) => x)
  const scale = 2 ** given.exponent
  const second = name.startsWith("concat")
    ? { ...given.b, bits: given.a.bits, signed: given.a.signed, zeroPoint: given.a.zeroPoint }
    : given.b
  const [a, b] = [given.a, { ...second, perColumn: given.a.perColumn }].map((one) =>
    make(of(one), given.rows, given.columns, scale)
  ) as [Quant, Quant]
  return { found, a, b, y: answered(found.run(subject, a, b)) }
}

export const quantized = (y: QuantTensor.Value): Quant => {
  if (!QuantTensor.isQuantTensor(y)) throw new Error("it is a plain tensor")
  return y
}
export const numbers = (x: tf.Tensor): ReadonlyArray<number> => Array.from(x.dataSync(), (v) => v + 0)
