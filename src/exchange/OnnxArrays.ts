/**
 * Values of an ONNX graph as plain arrays: constants out of their bytes, and functions of one, two and many elements.
 *
 * Room: exchange (level 5). Imports: `./GraphConstants.ts`, `./OnnxModel.ts` types. Laws: test/exchange/OnnxEvaluator.test.ts.
 */
import * as GraphConstants from "./GraphConstants.ts"
import type * as OnnxModel from "./OnnxModel.ts"

/** Numbers row by row, channels first. */
export interface Values {
  readonly shape: ReadonlyArray<number>
  readonly data: Float64Array
  /** of a constant */
  readonly type?: OnnxModel.DataType
}

export const product = (sizes: ReadonlyArray<number>): number => sizes.reduce((a, b) => a * b, 1)

const readers = {
  float32: [4, (view: DataView, at: number) => view.getFloat32(at, true)],
  uint8: [1, (view: DataView, at: number) => view.getUint8(at)],
  int8: [1, (view: DataView, at: number) => view.getInt8(at)],
  uint16: [2, (view: DataView, at: number) => view.getUint16(at, true)],
  int16: [2, (view: DataView, at: number) => view.getInt16(at, true)],
  int32: [4, (view: DataView, at: number) => view.getInt32(at, true)],
  int64: [8, (view: DataView, at: number) => Number(view.getBigInt64(at, true))]
} as const

/** The numbers of a constant. */
export const ofTensor = ({ name, dims, dataType: type, rawData }: OnnxModel.Tensor): Values => {
  const size = product(dims)
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength)
  if (type === "int4" || type === "uint4") {
    if (rawData.length !== Math.ceil(size / 2)) throw new Error(`"${name}" has ${rawData.length} bytes`)
    const nibble = (i: number): number => ((rawData[i >> 1] as number) >> (4 * (i & 1))) & 15
    const signed = (q: number): number => (q > 7 ? q - 16 : q)
    return {
      type,
      shape: dims,
      data: Float64Array.from({ length: size }, (_, i) => (type === "int4" ? signed(nibble(i)) : nibble(i)))
    }
  }
  const [width, read] = readers[type]
  if (rawData.length !== size * width) throw new Error(`"${name}" has ${rawData.length} bytes`)
  return { type, shape: dims, data: Float64Array.from({ length: size }, (_, i) => read(view, i * width)) }
}

/** Each element through `f`, rounded to float32. */
export const mapped = ({ shape, data }: Values, f: (x: number, i: number) => number): Values => ({
  shape,
  data: data.map((x, i) => Math.fround(f(x, i)))
})

/** The place in numbers that are spread over a value, for each place of it. */
export const spreadOver = ({ shape, data }: Values, over: ReadonlyArray<number>): ((at: number) => number) =>
  GraphConstants.spread({ shape, data: data as unknown as Float32Array }, over)

/** Numbers for each element of one axis, as numbers that are spread over a value of so many axes. */
export const along = ({ data }: Values, axis: number, rank: number): Values => ({
  shape: Array.from({ length: rank }, (_, i) => (i === axis ? data.length : 1)),
  data
})

/** Two values element by element, the smaller one spread over the larger one. */
export const zipped = (a: Values, b: Values, f: (x: number, y: number) => number): Values => {
  const rank = Math.max(a.shape.length, b.shape.length)
  const sized = ({ shape }: Values): ReadonlyArray<number> => [
    ...Array.from({ length: rank - shape.length }, () => 1),
    ...shape
  ]
  const [one, other] = [sized(a), sized(b)]
  const shape = one.map((size, i) => Math.max(size, other[i] as number))
  const [atA, atB] = [spreadOver(a, shape), spreadOver(b, shape)]
  const data = new Float64Array(product(shape))
  for (let i = 0; i < data.length; i++) data[i] = Math.fround(f(a.data[atA(i)] as number, b.data[atB(i)] as number))
  return { shape, data }
}

/** The same numbers with their axes in another order. */
export const transposed = ({ shape, data }: Values, order: ReadonlyArray<number>): Values => {
  const to = order.map((axis) => shape[axis] as number)
  const strides = order.map((axis) => product(shape.slice(axis + 1)))
  const sizes = to.map((_, i) => product(to.slice(i + 1)))
  const from = (i: number): number =>
    to.reduce(
      (sum, size, axis) => sum + (Math.floor(i / (sizes[axis] as number)) % size) * (strides[axis] as number),
      0
    )
  return { shape: to, data: Float64Array.from({ length: data.length }, (_, i) => data[from(i)] as number) }
}

/** `x W`, W `[in, out]`, over the last axis. */
export const multiplied = ({ shape, data }: Values, weight: Values): Values => {
  const [inner = 0, outer = 0] = weight.shape
  const rows = data.length / inner
  const out = new Float64Array(rows * outer)
  for (let row = 0; row < rows; row++)
    for (let o = 0; o < outer; o++) {
      let sum = 0
      for (let i = 0; i < inner; i++) sum += (data[row * inner + i] as number) * (weight.data[i * outer + o] as number)
      out[row * outer + o] = Math.fround(sum)
    }
  return { shape: [...shape.slice(0, -1), outer], data: out }
}

/** Products of the last two axes of both, those before spread over each other. */
export const products = (a: Values, b: Values): Values => {
  if (b.shape.length === 2) return multiplied(a, b)
  const [m = 0, k = 0] = a.shape.slice(-2)
  const [, n = 0] = b.shape.slice(-2)
  const [ones, others] = [a.shape.slice(0, -2), b.shape.slice(0, -2)]
  const rank = Math.max(ones.length, others.length)
  const sized = (shape: ReadonlyArray<number>): ReadonlyArray<number> => [
    ...Array.from({ length: rank - shape.length }, () => 1),
    ...shape
  ]
  const leading = sized(ones).map((size, i) => Math.max(size, sized(others)[i] as number))
  const places = (shape: ReadonlyArray<number>) =>
    spreadOver({ shape: sized(shape), data: new Float64Array(product(shape)) }, leading)
  const [atA, atB] = [places(ones), places(others)]
  const data = new Float64Array(product(leading) * m * n)
  for (let one = 0; one < product(leading); one++) {
    const [left, right] = [atA(one) * m * k, atB(one) * k * n]
    const part = multiplied(
      { shape: [m, k], data: a.data.subarray(left, left + m * k) },
      { shape: [k, n], data: b.data.subarray(right, right + k * n) }
    )
    data.set(part.data, one * m * n)
  }
  return { shape: [...leading, m, n], data }
}

/** Slices of an axis by their places. */
export const taken = ({ shape, data }: Values, places: Values, axis: number): Values => {
  const inner = product(shape.slice(axis + 1))
  const size = shape[axis] as number
  const count = places.data.length
  const outer = product(shape.slice(0, axis))
  const out = new Float64Array(outer * count * inner)
  for (let row = 0; row < outer; row++)
    for (let i = 0; i < count; i++) {
      const from = (row * size + (places.data[i] as number)) * inner
      out.set(data.subarray(from, from + inner), (row * count + i) * inner)
    }
  return { shape: [...shape.slice(0, axis), ...places.shape, ...shape.slice(axis + 1)], data: out }
}

/** Values side by side along an axis. */
export const joined = (all: ReadonlyArray<Values>, axis: number): Values => {
  const first = all[0]?.shape ?? []
  const outer = product(first.slice(0, axis))
  const parts = all.map(({ shape }) => product(shape.slice(axis)))
  const whole = parts.reduce((a, b) => a + b, 0)
  const data = new Float64Array(outer * whole)
  for (let row = 0; row < outer; row++)
    all.reduce((to, one, i) => {
      const size = parts[i] as number
      data.set(one.data.subarray(row * size, (row + 1) * size), to)
      return to + size
    }, row * whole)
  const size = all.reduce((sum, { shape }) => sum + (shape[axis] as number), 0)
  return { shape: first.map((old, i) => (i === axis ? size : old)), data }
}
