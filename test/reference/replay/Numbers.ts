/**
 * Tensors as the vectors write them, and how close two of them must be.
 */
import * as tf from "@tensorflow/tfjs-core"
import type * as QuantTensor from "../../../src/core/QuantTensor.ts"
import { int, isQuantTensor, isValid } from "../../../src/core/QuantTensor.ts"

/** A tensor in a file: flat, row by row. */
export interface Written {
  readonly shape: ReadonlyArray<number>
  readonly data: ReadonlyArray<number>
}

export const isWritten = (u: unknown): u is Written =>
  typeof u === "object" && u !== null && "shape" in u && "data" in u && Array.isArray(u.data)

/** How the axes of a convolution weight are ordered outside and inside: the reference writes OIHW, TensorFlow.js has HWIO. */
export interface Layout {
  readonly inwards: (x: tf.Tensor) => tf.Tensor
  readonly outwards: (x: tf.Tensor) => tf.Tensor
}
const same = (x: tf.Tensor): tf.Tensor => x
const turned =
  (axes: ReadonlyArray<number>) =>
  (x: tf.Tensor): tf.Tensor =>
    x.rank === 4 ? tf.transpose(x, [...axes]) : x

export const layoutOf = (layout: string | undefined): Layout => {
  if (layout === undefined) return { inwards: same, outwards: same }
  if (layout === "weight OIHW") return { inwards: turned([2, 3, 1, 0]), outwards: turned([3, 2, 0, 1]) }
  throw new Error(`unknown layout "${layout}"`)
}

/** Like `tf.tidy`, for a result that is no tensor. */
export const tidied = <A>(f: () => A): A => {
  tf.engine().startScope()
  try {
    return f()
  } finally {
    tf.engine().endScope()
  }
}

export const read = (layout: Layout, { shape, data }: Written): tf.Tensor =>
  tf.tidy(() => layout.inwards(tf.tensor([...data], [...shape])).clone())

export const write = (layout: Layout, x: tf.Tensor): Written =>
  tidied(() => {
    const outside = layout.outwards(x)
    return { shape: outside.shape, data: [...outside.dataSync()] }
  })

/** A quant tensor or a plain one as the vectors write it. */
export const writeValue = (layout: Layout, x: QuantTensor.QuantTensor | tf.Tensor): Readonly<Record<string, unknown>> =>
  tidied(() =>
    isQuantTensor(x)
      ? {
          type: "IntQuantTensor",
          value: write(layout, x.value),
          scale: write(layout, x.scale),
          zero_point: write(layout, x.zeroPoint),
          bit_width: write(layout, x.bitWidth),
          signed: x.signed,
          training: x.training,
          is_valid: isValid(x),
          int: write(layout, int(x))
        }
      : { type: "Tensor", value: write(layout, x) }
  )

// ---- comparing ----------------------------------------------------------------------------------------------

/** How far a number may be from the expected one, among these expected ones. */
export type Tolerance = (expected: number, all: ReadonlyArray<number>) => number
export const forValues: Tolerance = (expected) => 1e-6 * Math.abs(expected) + 1e-7
export const forGradients: Tolerance = (_, all) => 1e-5 * Math.max(...all.map(Math.abs))

/** Scalars come as [] or [1], depending on the path inside the reference. */
const sameShape = (a: Written, b: Written): boolean =>
  (a.data.length === 1 && b.data.length === 1) || JSON.stringify(a.shape) === JSON.stringify(b.shape)

const shown = (u: unknown): string => {
  const text = JSON.stringify(u) ?? "nothing"
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

/** The first difference, as a path and what stands there; whatever the expectation does not mention is not looked at. */
export const difference = (expected: unknown, actual: unknown, tolerance: Tolerance, path = ""): string | undefined => {
  const differs = (): string => `${path}: expected ${shown(expected)}, got ${shown(actual)}`
  if (isWritten(expected)) {
    if (!isWritten(actual) || !sameShape(expected, actual)) return differs()
    const at = expected.data.findIndex(
      (x, i) => !(Math.abs(x - (actual.data[i] as number)) <= tolerance(x, expected.data))
    )
    return at < 0 ? undefined : `${path}[${at}]: expected ${expected.data[at]}, got ${actual.data[at]}`
  }
  if (typeof expected !== "object" || expected === null) return Object.is(expected, actual) ? undefined : differs()
  if (typeof actual !== "object" || actual === null) return differs()
  if (Array.isArray(expected) && (!Array.isArray(actual) || actual.length !== expected.length)) return differs()
  for (const [key, inner] of Object.entries(expected)) {
    const found = difference(inner, (actual as Record<string, unknown>)[key], tolerance, `${path}.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}
