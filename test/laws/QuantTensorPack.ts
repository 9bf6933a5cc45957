/**
 * Algebras of quant tensors, and widths of their results, that keep their laws, and for each law ones that do not.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result } from "effect"
import type * as Law from "../../laws/Law.ts"
import * as QuantTensorLaws from "../../laws/QuantTensorLaws.ts"
import * as QuantWidthLaws from "../../laws/QuantWidthLaws.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import { onCpu } from "./OnCpu.ts"
import type { Pack } from "./Pack.ts"

type Algebra = QuantTensorLaws.Algebra
type Quant = QuantTensor.QuantTensor
const { algebra } = QuantTensorLaws

/** The same answer with something else about it. */
const changed = (answer: ReturnType<Algebra["add"]>, f: (y: Quant) => QuantTensor.Value): ReturnType<Algebra["add"]> =>
  Result.map(answer, (y) => (QuantTensor.isQuantTensor(y) ? f(y) : y))

const broken: ReadonlyArray<readonly [Law.Law<Algebra>, string, Partial<Algebra>]> = [
  [
    QuantTensorLaws.valued,
    "the second operand twice",
    { add: (a, b) => changed(algebra.add(a, b), (y) => ({ ...y, value: tf.add(a.value, tf.mul(b.value, 2)) })) }
  ],
  [
    QuantTensorLaws.integral,
    "the zero-point of a sum is that of the first",
    {
      add: (a, b) =>
        changed(algebra.add(a, b), (y) => ({ ...y, zeroPoint: tf.neg(y.zeroPoint), value: tf.add(y.value, y.scale) }))
    }
  ],
  [
    QuantTensorLaws.made,
    "the scale of a product is that of the first",
    { mul: (a, b) => changed(algebra.mul(a, b), (y) => ({ ...y, scale: tf.clone(a.scale) })) }
  ],
  [
    QuantTensorLaws.made,
    "the scales stay when the axes move",
    { transpose: (x, order) => changed(algebra.transpose(x, order), (y) => ({ ...y, scale: tf.clone(x.scale) })) }
  ],
  [
    QuantTensorLaws.fitting,
    "a sum is as wide as its operands",
    { add: (a, b) => changed(algebra.add(a, b), (y) => ({ ...y, bitWidth: tf.clone(a.bitWidth) })) }
  ],
  [
    QuantTensorLaws.fitting,
    "a difference has no sign",
    { sub: (a, b) => changed(algebra.sub(a, b), (y) => ({ ...y, signed: false })) }
  ],
  [QuantTensorLaws.invalid, "everything is valid", { isValid: () => true }],
  [
    QuantTensorLaws.refused,
    "scales are averaged",
    { add: (a, b) => algebra.add(a, { ...b, scale: a.scale, value: b.value }) }
  ],
  [
    QuantTensorLaws.owning,
    "the scale is the operand's",
    { neg: (x) => ({ ...(algebra.neg(x) as Quant), scale: x.scale }) }
  ],
  [QuantTensorLaws.owning, "something is left", { abs: (x) => algebra.abs({ ...x, value: tf.neg(x.value) }) }]
]

export const pack: Pack<Algebra> = {
  name: "QuantTensorLaws",
  laws: QuantTensorLaws.all,
  good: [
    ["breve's quant tensors on WASM", Effect.succeed(algebra)],
    ["breve's quant tensors on cpu", onCpu(algebra)]
  ],
  broken: broken.map(([law, how, parts]) => [law, how, Effect.succeed({ ...algebra, ...parts, name: how })]),
  runs: 150
}

type Widths = QuantWidthLaws.Widths
const { widths } = QuantWidthLaws

const wrongWidths: ReadonlyArray<readonly [Law.Law<Widths>, string, Partial<Widths>]> = [
  [QuantWidthLaws.sum, "one more than the wider", { sum: (a, b) => Math.max(a.bits, b.bits) + 1 }],
  [QuantWidthLaws.difference, "as wide as the wider", { difference: (a, b) => Math.max(a.bits, b.bits) }],
  [QuantWidthLaws.product, "one bit less", { product: (a, b) => a.bits + b.bits - 1 }],
  [QuantWidthLaws.negative, "as wide as before", { negative: (a) => a.bits }],
  [QuantWidthLaws.tight, "a bit to spare", { sum: (a, b) => widths.sum(a, b) + 1 }],
  [
    QuantWidthLaws.accumulated,
    "by the magnitudes of a narrow range",
    { accumulator: (a, b, n) => Math.ceil(Math.log2((2 ** a.bits - 1) * (2 ** b.bits - 1) * n)) }
  ],
  [
    QuantWidthLaws.totalled,
    "the logarithm of the count, rounded",
    { total: (a, n) => a.bits + Math.round(Math.log2(n)) }
  ],
  [QuantWidthLaws.biased, "the wider of both", { biased: (a, b) => Math.max(a.bits, b.bits) }]
]

export const widthPack: Pack<Widths> = {
  name: "QuantWidthLaws",
  laws: QuantWidthLaws.all,
  good: [["breve's widths", Effect.succeed(widths)]],
  broken: wrongWidths.map(([law, how, parts]) => [law, how, Effect.succeed({ ...widths, ...parts, name: how })]),
  runs: 1
}
