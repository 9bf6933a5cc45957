/**
 * Rows of a table by their numbers, as an embedding looks them up: with breve's kernels where the backend has them
 * (`backend/Kernels.ts`), elsewhere as the composition of standard ops, which is the definition.
 *
 * Room: op (level 1). Imports: tfjs-core, `tensor`. Laws: test/op/Gather.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import { InvalidOptions, ShapeMismatch } from "../tensor/LayerErrors.ts"

// ---- kernels, and the definition ----------------------------------------------------------------------------

const run = (name: string, inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap = {}): tf.Tensor =>
  tf.engine().runKernel(name, inputs, attrs) as tf.Tensor

const fused = (table: tf.Tensor, indices: tf.Tensor): tf.Tensor =>
  Gradient.customGradient((table: tf.Tensor) => {
    const rows = table.shape[0] ?? 0
    return {
      value: run("BreveGather", { table, indices }),
      saved: [indices],
      gradient: (dy, [indices]: readonly [tf.Tensor]) => [run("BreveGatherGrad", { dy, indices }, { rows })]
    }
  })(table)

/**
 * The definition of `gather` in standard ops; the numbers are not checked.
 *
 * - formula:  as `gather`
 * - shapes:   `table [v, d], indices [...n] -> y [...n, d]`
 * - gradient: as `gather`
 * - errors:   none of its own
 * - source:   as `gather`
 *
 * @category lookup
 * @since 0.3.0
 */
export const composition = (table: tf.Tensor, indices: tf.Tensor): tf.Tensor =>
  Gradient.customGradient((table: tf.Tensor) => {
    const shape = table.shape as [number, number]
    return {
      value: tf.gather(table, indices as tf.Tensor1D),
      saved: [indices],
      gradient: (dy, [indices]: readonly [tf.Tensor]) => [
        tf.scatterND(tf.reshape(indices, [-1, 1]), tf.reshape(dy, [-1, shape[1]]), shape)
      ]
    }
  })(table)

// ---- operations ---------------------------------------------------------------------------------------------

/**
 * Looks up rows of a table. The gradient adds the rows in the order of the indices, so that its bits are always the same.
 *
 * - formula:  `y[...n, j] = table[indices[...n], j]`
 * - shapes:   `table [v, d], indices [...n] int32 -> y [...n, d]`
 * - gradient: `dtable[i, j] = Σ dy[...n, j]` over all places n where i is looked up
 * - errors:   throws InvalidOptions where an index is not in the table, ShapeMismatch where the table is no matrix
 * - source:   PyTorch's Embedding; Bengio et al. 2003, "A Neural Probabilistic Language Model"
 *
 * @category lookup
 * @since 0.3.0
 */
export const gather = (table: tf.Tensor, indices: tf.Tensor): tf.Tensor => {
  const [rows = 0, columns = 0] = table.shape
  if (table.rank !== 2)
    throw new ShapeMismatch({ what: "Gather.gather, table", expected: "[v, d]", actual: table.shape })
  check(indices, rows)
  if (indices.size === 0 || columns === 0) return vacant([...indices.shape, columns])(table)
  return table.dtype === "float32" && tf.getKernel("BreveGather", tf.getBackend()) !== undefined
    ? fused(table, indices)
    : composition(table, indices)
}

const check = (indices: tf.Tensor, rows: number): void => {
  const invalid = (reason: string) => new InvalidOptions({ what: "Gather.gather", option: "indices", reason })
  if (indices.dtype !== "int32") throw invalid(`must be int32, not ${indices.dtype}; convert them with tf.cast`)
  const numbers = indices.dataSync()
  const place = numbers.findIndex((index) => index < 0 || index >= rows)
  if (place === -1) return
  const known = rows === 0 ? "the table has no rows" : `the table has rows 0 to ${rows - 1}`
  throw invalid(
    `holds ${numbers[place]} at place ${place}, but ${known}; clip the indices, or give the table more rows`
  )
}

/** Of no indices, or rows of no length. */
const vacant = (shape: Array<number>): ((table: tf.Tensor) => tf.Tensor) =>
  Gradient.customGradient((table: tf.Tensor) => {
    const like = table.shape
    return { value: tf.zeros(shape), gradient: () => [() => tf.zeros(like)] }
  })
