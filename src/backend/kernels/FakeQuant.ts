/**
 * Integer fake-quantization and its gradients.
 *
 * Room: backend (level 1). Imports: `../Kernel.ts`. Laws: test/op/FakeQuant.test.ts.
 */
import { at, call, input, type Kernel, type Kernels, number, output, scratch } from "../Kernel.ts"

const operands = ["x", "scale", "zeroPoint", "low", "high"] as const
const layout = ["outer", "repeats", "channels", "inner", "scaleStep", "zeroStep"] as const

const forward: Kernel = (running, inputs, attrs) => {
  const y = output(running, input(inputs, "x").shape)
  call(
    running,
    "fakeQuant",
    ...operands.map((name) => at(running, input(inputs, name))),
    at(running, y),
    ...layout.map((name) => number(attrs, name)),
    number(attrs, "rounding")
  )
  return y
}

const backward: Kernel = (running, inputs, attrs) => {
  const like = operands.map((name) => input(inputs, name))
  const to = like.map(({ shape }) => output(running, shape))
  const run = (sums: number): number =>
    call(
      running,
      "fakeQuantGrad",
      ...[...like, input(inputs, "dy"), ...to].map((tensor) => at(running, tensor)),
      sums,
      ...layout.map((name) => number(attrs, name)),
      number(attrs, "passes"),
      number(attrs, "rounding")
    )
  // two doubles for each channel, where the channels are the innermost axis
  if (number(attrs, "inner") === 1) scratch(running, 16 * number(attrs, "channels"), run)
  else run(0)
  return to
}

export const kernels: Kernels = { BreveFakeQuant: forward, BreveFakeQuantGrad: backward }
