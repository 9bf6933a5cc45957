/**
 * Stored tensors cut, turned and added up, without a backend: elements are moved as bytes, so that no bit changes.
 *
 * Room: tensor (level 0). Imports: `./Stored.ts`. Laws: test/tensor/Stored.test.ts.
 */
import * as Stored from "./Stored.ts"

const stridesOf = (shape: ReadonlyArray<number>): ReadonlyArray<number> =>
  shape.map((_, i) => Stored.sizeOf(shape.slice(i + 1)))

/** Axis `i` of the answer is axis `axes[i]` of the tensor. */
export const transpose = (stored: Stored.Stored, axes: ReadonlyArray<number>): Stored.Stored => {
  const { dtype, data } = stored
  if (axes.every((axis, i) => axis === i)) return stored
  const width = Stored.byteSizes[dtype]
  const from = stridesOf(stored.shape)
  const shape = axes.map((axis) => stored.shape[axis] as number)
  const strides = axes.map((axis) => from[axis] as number)
  const moved = new Uint8Array(data.length)
  const index = shape.map(() => 0)
  let source = 0
  for (let to = 0; to < data.length; to += width) {
    for (let b = 0; b < width; b++) moved[to + b] = data[source * width + b] as number
    // the next index, with the last axis counting fastest
    for (let d = shape.length - 1; d >= 0; d--) {
      index[d] = (index[d] as number) + 1
      source += strides[d] as number
      if ((index[d] as number) < (shape[d] as number)) break
      source -= (strides[d] as number) * (shape[d] as number)
      index[d] = 0
    }
  }
  return { dtype, shape, data: moved }
}

/** The permutation that undoes another one. */
export const inverse = (axes: ReadonlyArray<number>): ReadonlyArray<number> => axes.map((_, i) => axes.indexOf(i))

/** One of `of` equal parts of the first axis. */
export const part = ({ dtype, shape, data }: Stored.Stored, index: number, of: number): Stored.Stored => {
  const length = data.length / of
  const rows = (shape[0] as number) / of
  return { dtype, shape: [rows, ...shape.slice(1)], data: data.slice(index * length, (index + 1) * length) }
}

/** The sum of tensors of one shape, as float32; one alone stays as it is. */
export const sum = (all: readonly [Stored.Stored, ...ReadonlyArray<Stored.Stored>]): Stored.Stored => {
  const [first, ...others] = all
  if (others.length === 0) return first
  const total = Stored.floats(first)
  for (const other of others) {
    const values = Stored.floats(other)
    for (let i = 0; i < total.length; i++) total[i] = (total[i] as number) + (values[i] as number)
  }
  return Stored.fromFloats(total, first.shape)
}
