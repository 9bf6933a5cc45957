/**
 * Integer fake-quantization and its gradients.
 *
 * The zero-point and the bounds are tensors among the inputs, or numbers among the attributes.
 *
 * Room: backend (level 1). Imports: `../Kernel.ts`. Laws: test/op/FakeQuant.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import { at, call, input, type Kernel, type Kernels, number, output, type Running, scratch } from "../Kernel.ts"

const operands = ["x", "scale", "zeroPoint", "low", "high"] as const
const layout = ["outer", "repeats", "channels", "inner", "scaleStep", "zeroStep"] as const

/** The operands as addresses, 0 for those that are numbers, and these numbers, 0 for tensors. */
const given = (running: Running, inputs: tf.NamedTensorInfoMap, attrs: tf.NamedAttrMap): ReadonlyArray<number> => [
  ...operands.map((name) => (inputs[name] === undefined ? 0 : at(running, input(inputs, name)))),
  ...operands.slice(2).map((name) => (inputs[name] === undefined ? number(attrs, name) : 0))
]

const forward: Kernel = (running, inputs, attrs) => {
  const y = output(running, input(inputs, "x").shape)
  call(
    running,
    "fakeQuant",
    ...given(running, inputs, attrs),
    at(running, y),
    ...layout.map((name) => number(attrs, name)),
    number(attrs, "rounding")
  )
  return y
}

/** The gradients of those operands that are tensors. */
const backward: Kernel = (running, inputs, attrs) => {
  const to = operands.map((name) =>
    inputs[name] === undefined ? undefined : output(running, input(inputs, name).shape)
  )
  const run = (sums: number): number =>
    call(
      running,
      "fakeQuantGrad",
      ...given(running, inputs, attrs),
      at(running, input(inputs, "dy")),
      ...to.map((tensor) => (tensor === undefined ? 0 : at(running, tensor))),
      sums,
      ...layout.map((name) => number(attrs, name)),
      number(attrs, "passes"),
      number(attrs, "rounding")
    )
  // two doubles for each channel, where the channels are the innermost axis; else seven vectors
  scratch(running, number(attrs, "inner") === 1 ? 16 * Math.max(1, number(attrs, "channels")) : 112, run)
  return to.filter((tensor) => tensor !== undefined)
}

export const kernels: Kernels = { BreveFakeQuant: forward, BreveFakeQuantGrad: backward }
