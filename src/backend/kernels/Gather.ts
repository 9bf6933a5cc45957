/**
 * Rows of a table, and their gradient.
 *
 * Room: backend (level 1). Imports: tfjs, `../Kernel.ts`. Laws: test/op/Gather.test.ts.
 */
import { util } from "@tensorflow/tfjs-core"
import { at, call, input, type Kernel, type Kernels, number, output } from "../Kernel.ts"

const forward: Kernel = (running, inputs) => {
  const [table, indices] = [input(inputs, "table"), input(inputs, "indices")]
  const columns = table.shape[1] ?? 0
  const y = output(running, [...indices.shape, columns])
  const places = [table, indices, y].map((tensor) => at(running, tensor))
  call(running, "gather", ...places, util.sizeFromShape(indices.shape), columns)
  return y
}

const backward: Kernel = (running, inputs, attrs) => {
  const [dy, indices] = [input(inputs, "dy"), input(inputs, "indices")]
  const [rows, columns] = [number(attrs, "rows"), dy.shape.at(-1) ?? 0]
  const dtable = output(running, [rows, columns])
  const places = [dy, indices, dtable].map((tensor) => at(running, tensor))
  call(running, "gatherGrad", ...places, util.sizeFromShape(indices.shape), columns, rows)
  return dtable
}

export const kernels: Kernels = { BreveGather: forward, BreveGatherGrad: backward }
