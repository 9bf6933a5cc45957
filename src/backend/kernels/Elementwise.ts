/**
 * Functions of single elements.
 *
 * Room: backend (level 1). Imports: tfjs, `../Kernel.ts`. Laws: test/op/Relu.test.ts.
 */
import { util } from "@tensorflow/tfjs-core"
import { at, call, input, type Kernel, type Kernels, output } from "../Kernel.ts"

const relu: Kernel = (running, inputs) => {
  const x = input(inputs, "x")
  const y = output(running, x.shape)
  call(running, "relu", at(running, x), util.sizeFromShape(x.shape), at(running, y))
  return y
}

const reluGrad: Kernel = (running, inputs) => {
  const [y, dy] = [input(inputs, "y"), input(inputs, "dy")]
  const dx = output(running, y.shape)
  call(running, "reluGrad", at(running, y), util.sizeFromShape(y.shape), at(running, dy), at(running, dx))
  return dx
}

export const kernels: Kernels = { BreveRelu: relu, BreveReluGrad: reluGrad }
