/**
 * The laws of the algebra of quant tensors: a result has the value of the operation on plain values, the integers of the operation on
 * integers, and tensors of its own.
 *
 * Operands are described by a width, a sign, a scale, a zero-point, a shape and a seed.
 *
 * Room: laws. Imports: fast-check, tfjs, effect's `Result`, `core`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Result } from "effect"
import * as fc from "fast-check"
import * as QuantTensor from "../src/core/QuantTensor.ts"
import * as Bits from "./Bits.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

type Quant = QuantTensor.QuantTensor
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

const make = (of: Described, rows: number, columns: number, scale: number): Quant => {
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

const parts = { a: described, b: described, rows: size, columns: size, exponent }
interface Case {
  readonly a: Described
  readonly b: Described
  readonly rows: number
  readonly columns: number
  readonly exponent: number
}

// ---- operations ---------------------------------------------------------------------------------------------

type Plain = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor

/** An operation, what it is of plain values, and what of integers. */
interface Operation {
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

const operations: Readonly<Record<string, Operation>> = {
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

const operation = fc.constantFrom(...Object.keys(operations))

const answered = (answer: Answer | QuantTensor.Value): QuantTensor.Value => {
  if (!Result.isResult(answer)) return answer
  if (Result.isFailure(answer)) throw new Error(answer.failure.message)
  return answer.success
}

/** The operands of a case, whose joined operations need widths and signs that agree, and what the operation makes of them. */
const done = (subject: Algebra, name: string, given: Case) => {
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

const quantized = (y: QuantTensor.Value): Quant => {
  if (!QuantTensor.isQuantTensor(y)) throw new Error("it is a plain tensor")
  return y
}
const numbers = (x: tf.Tensor): ReadonlyArray<number> => Array.from(x.dataSync(), (v) => v + 0)

// ---- laws ---------------------------------------------------------------------------------------------------

/** The value of a result is the result of the values, to the bit. */
export const valued: Law.Law<Algebra> = Law.forAll(
  { name: "the value of a result is the result of values", states: "value(f(a, b)) = f(value(a), value(b))" },
  { operation, ...parts },
  (subject, { operation, ...given }) =>
    tf.tidy(() => {
      const { found, a, b, y } = done(subject, operation, given)
      const [got, wanted] = [QuantTensor.dequantized(y), found.plain(a.value, b.value)]
      if (!tf.util.arraysEqual(got.shape, wanted.shape)) return `its shape is [${got.shape}], not [${wanted.shape}]`
      return Bits.difference(numbers(got), numbers(wanted)) ?? true
    }) as unknown as Law.Holds
)

/** The integers of a result, around their zero-point, are the result of the operands' integers around theirs. */
export const integral: Law.Law<Algebra> = Law.forAll(
  {
    name: "the integers of a result are the result of integers",
    states: "int(y) - z_y = f(int(a) - z_a, int(b) - z_b)"
  },
  { operation, ...parts },
  (subject, { operation, ...given }) =>
    tf.tidy(() => {
      const { found, a, b, y } = done(subject, operation, given)
      const around = (x: Quant): tf.Tensor => tf.sub(tf.cast(subject.int(x), "float32"), x.zeroPoint)
      const wanted = found.ofIntegers(around(a), around(b))
      return Bits.difference(numbers(around(quantized(y))), numbers(wanted)) ?? true
    }) as unknown as Law.Holds
)

/** Integers, scale and zero-point of a result make its value again. */
export const made: Law.Law<Algebra> = Law.forAll(
  { name: "integers and scale make the value", states: "(int(y) - z) s = value(y), to 2^-20" },
  { operation, ...parts, factor: fc.float({ min: Math.fround(0.5), max: 2, noNaN: true }) },
  (subject, { operation, factor, ...given }) =>
    tf.tidy(() => {
      const { y } = done(subject, operation, { ...given, exponent: given.exponent + Math.log2(factor) })
      const result = quantized(y)
      const made = tf.mul(tf.sub(tf.cast(subject.int(result), "float32"), result.zeroPoint), result.scale)
      const [got, wanted] = [numbers(made), numbers(result.value)]
      const largest = Math.max(...wanted.map(Math.abs))
      const wrong = wanted.findIndex(
        (v, i) => !(Math.abs((got[i] as number) - v) <= 2 ** -20 * (Math.abs(v) + largest))
      )
      return wrong === -1 || `element ${wrong} is ${wanted[wrong]}, its integer stands for ${got[wrong]}`
    }) as unknown as Law.Holds
)

/** A result lies on its grid and within its width. */
export const fitting: Law.Law<Algebra> = Law.forAll(
  { name: "results are valid", states: "isValid(f(a, b))" },
  { operation, ...parts },
  (subject, { operation, ...given }) =>
    tf.tidy(() => {
      const y = quantized(done(subject, operation, given).y)
      const whole = subject.int(y).dataSync()
      const width = y.bitWidth.dataSync()[0] as number
      const low = y.signed ? -(2 ** (width - 1)) : 0
      const high = low + 2 ** width - 1
      const wrong = whole.findIndex((q) => q < low || q > high)
      if (wrong !== -1)
        return `its integer ${whole[wrong]} does not fit ${width} ${y.signed ? "signed" : "unsigned"} bits`
      return subject.isValid(y) || "isValid says no"
    }) as unknown as Law.Holds
)

/** What lies off its grid, or beyond its width, is not valid. */
export const invalid: Law.Law<Algebra> = Law.forAll(
  { name: "what is off the grid is not valid", states: "not isValid(x + s / 2), not isValid of an integer too large" },
  parts,
  (subject, given) =>
    tf.tidy(() => {
      const x = make(given.a, given.rows, given.columns, 2 ** given.exponent)
      const off = { ...x, value: tf.add(x.value, tf.div(x.scale, 2)) }
      const beyond = { ...x, value: tf.add(x.value, tf.mul(x.scale, 2 ** given.a.bits)) }
      if (subject.isValid(off)) return "half a step off the grid is valid"
      return !subject.isValid(beyond) || "integers beyond the width are valid"
    }) as unknown as Law.Holds
)

/** Sums of unequal scales, and products with zero-points, are refused. */
export const refused: Law.Law<Algebra> = Law.forAll(
  { name: "what has no rule is refused", states: "s_a != s_b: no a + b, no a - b; z != 0: no a b" },
  { ...parts, shift: fc.integer({ min: 1, max: 5 }) },
  (subject, { shift, ...given }) =>
    tf.tidy(() => {
      const [a, b] = [0, shift].map((by, i) =>
        make(i === 0 ? given.a : given.b, given.rows, given.columns, 2 ** (given.exponent + by))
      ) as [Quant, Quant]
      const shifted = { ...a, zeroPoint: tf.scalar(shift) }
      if (Result.isSuccess(subject.add(a, b))) return "scales that differ are added"
      if (Result.isSuccess(subject.sub(a, b))) return "scales that differ are subtracted"
      return Result.isFailure(subject.mul(shifted, b)) || "a zero-point is multiplied"
    }) as unknown as Law.Holds
)

/** A result has tensors of its own: it outlives its operands, and when both are disposed nothing is left. */
export const owning: Law.Law<Algebra> = Law.forAll(
  { name: "a result owns its tensors", states: "dispose(a, b) leaves f(a, b); dispose(f(a, b)) leaves nothing" },
  { operation, ...parts },
  (subject, { operation, ...given }) => {
    const before = tf.memory().numTensors
    const kept: Array<Quant> = []
    const found = operations[operation] as Operation
    tf.tidy(() => {
      const { a, b } = done(subject, operation, given)
      kept.push(...[a, b].map((x) => QuantTensor.map(x, (t) => tf.keep(t.clone()))))
    })
    const y = answered(found.run(subject, ...(kept as [Quant, Quant])))
    const values = numbers(QuantTensor.dequantized(y))
    for (const x of kept) QuantTensor.dispose(x)
    const gone = QuantTensor.tensorsOf(y).some(({ isDisposed }) => isDisposed)
    const same = !gone && Bits.difference(numbers(QuantTensor.dequantized(y)), values) === undefined
    if (!gone) QuantTensor.dispose(y)
    const left = tf.memory().numTensors - before
    if (!same) return "it is gone with its operands"
    return left === 0 || `${left} tensors are left`
  }
)

/** Every law of quant tensors. */
export const all: ReadonlyArray<Law.Law<Algebra>> = [valued, integral, made, fitting, invalid, refused, owning]
