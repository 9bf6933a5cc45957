/**
 * Products of matrices, also transposed ones and batches of them, and sums of columns.
 *
 * Room: backend (level 1). Imports: tfjs, `../Kernel.ts`. Laws: test/op/Linalg.test.ts.
 */
import { broadcast_util, util } from "@tensorflow/tfjs-core"
import { at, call, input, type Kernel, type Kernels, number, output, scratch } from "../Kernel.ts"

// ---- sizes --------------------------------------------------------------------------------------------------

/** The sizes of the last two axes, and all axes before. */
const split = (shape: ReadonlyArray<number>): readonly [rows: number, columns: number, batch: Array<number>] => [
  shape.at(-2) as number,
  shape.at(-1) as number,
  shape.slice(0, -2)
]

/** For each matrix of the batch `to`, in order, which one it is of `batch`, which is broadcast to it. */
const places = (batch: ReadonlyArray<number>, to: ReadonlyArray<number>): ReadonlyArray<number> =>
  to.reduce<ReadonlyArray<number>>(
    (before, size, axis) => {
      const own = batch[axis - to.length + batch.length] ?? 1
      return before.flatMap((place) => Array.from({ length: size }, (_, i) => (own === 1 ? place : place * own + i)))
    },
    [0]
  )

// ---- kernels ------------------------------------------------------------------------------------------------

/** Fails as tfjs does: beyond its operands a product would read other tensors. */
const matMul: Kernel = (running, inputs, attrs) => {
  const [a, b] = [input(inputs, "a"), input(inputs, "b")]
  const { bias } = inputs
  const [transposeA, transposeB] = [number(attrs, "transposeA") === 1, number(attrs, "transposeB") === 1]
  const [[rowsA, columnsA, batchA], [rowsB, columnsB, batchB]] = [split(a.shape), split(b.shape)]
  const [m, k] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA]
  const [inner, n] = transposeB ? [columnsB, rowsB] : [rowsB, columnsB]
  util.assert(
    k === inner && (bias === undefined || util.sizeFromShape(bias.shape) === n),
    () =>
      `Error in matMul: shapes ${a.shape}, ${b.shape} and ${bias?.shape ?? "no bias"} do not fit (${transposeA}, ${transposeB})`
  )
  const batch = batchA.length + batchB.length === 0 ? batchA : broadcast_util.assertAndGetBroadcastShape(batchA, batchB)
  const y = output(running, [...batch, m, n])
  const [ofA, ofB] = batch.length === 0 ? [[0], [0]] : [places(batchA, batch), places(batchB, batch)]
  scratch(running, call(running, "gemmScratch", m, n, k), (room) => {
    const [fromA, fromB, toY] = [at(running, a), at(running, b), at(running, y)]
    const from = bias === undefined ? 0 : at(running, bias)
    for (let i = 0; i < ofA.length; i++)
      call(
        running,
        "matMul",
        fromA + 4 * m * k * (ofA[i] as number),
        fromB + 4 * k * n * (ofB[i] as number),
        from,
        toY + 4 * m * n * i,
        m,
        n,
        k,
        Number(transposeA),
        Number(transposeB),
        room
      )
  })
  return y
}

const columnSums: Kernel = (running, inputs) => {
  const x = input(inputs, "x")
  const columns = x.shape.at(-1) as number
  const y = output(running, [columns])
  const rows = util.sizeFromShape(x.shape.slice(0, -1))
  call(running, "sumOfRows", at(running, x), rows, columns, at(running, y))
  return y
}

export const kernels: Kernels = { BreveMatMul: matMul, BreveColumnSums: columnSums }
