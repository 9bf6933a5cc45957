/**
 * Whether quant tensors share a scale, and what to say if they do not.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `./QuantValue.ts`. Laws: test/core/QuantTensorArithmetic.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import * as Host from "../tensor/Host.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import { ScaleMismatch, type Side, UnsupportedZeroPoint } from "../tensor/QuantTensorErrors.ts"
import { dequantized, isIntegral, isQuantTensor, type Operand, type QuantTensor, shapeOf } from "./QuantValue.ts"

// ---- comparing ----------------------------------------------------------------------------------------------

const near = (a: number, b: number): boolean => a === b || Math.abs(a - b) <= 1e-8 + 1e-5 * Math.abs(b)

/** Where two shapes broadcast together, their common shape. */
const broadcastOf = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): ReadonlyArray<number> | undefined => {
  const rank = Math.max(a.length, b.length)
  const at = (shape: ReadonlyArray<number>, i: number): number => shape[i - rank + shape.length] ?? 1
  const sizes = Array.from({ length: rank }, (_, i) => [at(a, i), at(b, i)] as const)
  return sizes.every(([x, y]) => x === y || x === 1 || y === 1) ? sizes.map(([x, y]) => (x === 1 ? y : x)) : undefined
}

/**
 * Whether two tensors hold the same numbers where one stands above the other, to 1e-5 of their size. NaN is like nothing, but a
 * tensor is like itself.
 */
export const alike = (a: tf.Tensor, b: tf.Tensor): boolean => {
  if (a === b || (a.dataId === b.dataId && tf.util.arraysEqual(a.shape, b.shape))) return true
  const [x, y] = [Host.floats(a), Host.floats(b)]
  if (y.length === 1) return x.every((one) => near(one, y[0] as number))
  if (x.length === 1) return y.every((one) => near(x[0] as number, one))
  if (broadcastOf(a.shape, b.shape) === undefined) return false
  return Gradient.unrecorded(() => {
    const [left, right] = [tf.add(a, tf.zerosLike(b)), tf.add(tf.zerosLike(a), b)].map(Host.floats)
    return (left as Float32Array).every((one, i) => near(one, (right as Float32Array)[i] as number))
  })
}

/** Whether two values have the same scale, to 1e-5 of its size; a plain tensor has none. */
export const sameScale = (a: Operand, b: Operand): boolean =>
  isQuantTensor(a) && isQuantTensor(b) && alike(a.scale, b.scale)

// ---- failures -----------------------------------------------------------------------------------------------

const digits = (x: number): string => String(Number(x.toPrecision(6)))

/** The elements of a tensor, the first few of them. */
export const shortened = (x: tf.Tensor): string => {
  const all = Array.from(Host.floats(x).slice(0, 4), digits)
  if (x.size === 1) return all[0] as string
  return `[${all.join(", ")}${x.size > 4 ? `, … (${x.size})` : ""}]`
}

export const sidesOf = (operands: ReadonlyArray<QuantTensor>, has: (x: QuantTensor) => string): ReadonlyArray<Side> =>
  operands.map((x) => ({ origin: x.origin, has: has(x) }))

/** The failure of an operation whose operands must share a scale and do not. */
export const scaleMismatch = (operation: string, ...operands: ReadonlyArray<QuantTensor>): ScaleMismatch | undefined =>
  operands.every((x) => sameScale(operands[0] as QuantTensor, x))
    ? undefined
    : new ScaleMismatch({ operation, sides: sidesOf(operands, ({ scale }) => shortened(scale)) })

/** The failure of an operation that has no rule for zero-points. */
export const zeroPointOf = (
  operation: string,
  ...operands: ReadonlyArray<QuantTensor>
): UnsupportedZeroPoint | undefined =>
  operands.every(({ zeroPoint }) => Host.floats(zeroPoint).every((z) => z === 0))
    ? undefined
    : new UnsupportedZeroPoint({ operation, sides: sidesOf(operands, ({ zeroPoint }) => shortened(zeroPoint)) })

/** The failure of an operation, element by element, on shapes that do not broadcast together. */
export const shapeMismatch = (operation: string, a: Operand, b: Operand): ShapeMismatch | undefined => {
  if (typeof a === "number" || typeof b === "number") return undefined
  const [left, right] = [shapeOf(a), shapeOf(b)]
  return broadcastOf(left, right) === undefined
    ? new ShapeMismatch({
        what: operation,
        expected: `[${left.join(", ")}], or what broadcasts with it`,
        actual: right
      })
    : undefined
}

/** An operand as what tfjs takes. */
export const plain = (x: Operand): tf.Tensor | number => (typeof x === "number" ? x : dequantized(x))

/** Both operands, if both are made of integers that are not in groups. */
export const bothIntegral = (a: Operand, b: Operand): readonly [QuantTensor, QuantTensor] | undefined =>
  isIntegral(a) && isIntegral(b) ? [a, b] : undefined
