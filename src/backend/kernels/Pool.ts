/**
 * The largest element and the mean of windows, and their gradients.
 *
 * Room: backend (level 1). Imports: tfjs, `../Kernel.ts`. Laws: test/op/Pool.test.ts.
 */
import type { NamedAttrMap, TensorInfo } from "@tensorflow/tfjs-core"
import { at, call, input, type Kernel, type Kernels, number, output, type Running } from "../Kernel.ts"

/** The kinds, by their numbers in the module. */
const kind = { largest: 0, largestGrad: 1, mean: 2, meanGrad: 3 }

const integers = (attrs: NamedAttrMap, name: string): ReadonlyArray<number> => attrs[name] as Array<number>

/** `y` is `dy` for the gradients; the shape of the image is an attribute, since the gradient of a mean does not need it. */
const run = (
  running: Running,
  attrs: NamedAttrMap,
  kind: number,
  [x, y, dx]: readonly [TensorInfo | undefined, TensorInfo, TensorInfo | undefined]
): void => {
  const [n = 0, h = 0, w = 0, channels = 0] = integers(attrs, "shape")
  const [rows = 0, columns = 0] = y.shape.slice(1, 3)
  const place = (tensor: TensorInfo | undefined): number => (tensor === undefined ? 0 : at(running, tensor))
  call(
    running,
    "pool",
    place(x),
    place(y),
    place(dx),
    kind,
    number(attrs, "count"),
    n,
    channels,
    ...[h, rows, ...integers(attrs, "rows")],
    ...[w, columns, ...integers(attrs, "columns")]
  )
}

const forward =
  (kind: number): Kernel =>
  (running, inputs, attrs) => {
    const x = input(inputs, "x")
    const [n = 0, , , channels = 0] = x.shape
    const y = output(running, [n, ...integers(attrs, "output"), channels])
    run(running, attrs, kind, [x, y, undefined])
    return y
  }

const backward =
  (kind: number): Kernel =>
  (running, inputs, attrs) => {
    const dx = output(running, integers(attrs, "shape"))
    run(running, attrs, kind, [inputs.x, input(inputs, "dy"), dx])
    return dx
  }

export const kernels: Kernels = {
  BreveMaxPool: forward(kind.largest),
  BreveMaxPoolGrad: backward(kind.largestGrad),
  BreveAvgPool: forward(kind.mean),
  BreveAvgPoolGrad: backward(kind.meanGrad)
}
