/**
 * The laws of the algebra of quant tensors: a result has the value of the operation on plain values, the integers of the operation on
 * integers, and tensors of its own.
 *
 * Room: laws. Imports: fast-check, tfjs, effect's `Result`, `core`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Result } from "effect"
import * as fc from "fast-check"
import * as QuantTensor from "../src/core/QuantTensor.ts"
import * as Bits from "./Bits.ts"
import * as Law from "./Law.ts"

import {
  type Algebra,
  answered,
  done,
  make,
  numbers,
  type Operation,
  operation,
  operations,
  parts,
  type Quant,
  quantized
} from "./QuantOperation.ts"

export { type Algebra, algebra, type Described } from "./QuantOperation.ts"

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
