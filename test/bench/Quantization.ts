/**
 * The figures of quantization: the fused op alone, and complete quantizers of the catalogue, on 1 M float32 or 4,096.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import type * as Brick from "../../src/core/Brick.ts"
import * as TensorQuantizer from "../../src/core/TensorQuantizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as FakeQuant from "../../src/op/FakeQuant.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import { median } from "./Median.ts"

type Figure = readonly [name: string, medianMs: number]

const million = 1 << 20
const options = { rounding: "nearest", clampPasses: false } as const

/** Values over (-1, 1) without a pattern. */
const spread = (shape: ReadonlyArray<number>): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => ((i * 2654435761) % 65536) / 32768 - 1),
    [...shape]
  )

/** One call whose results are dropped. */
const dropped = (f: () => unknown) => (): void => {
  tf.tidy(() => {
    f()
  })
}

/** The fused op: forward by shape of its scale, and backward with the gradient of the scale. */
const ops = (): ReadonlyArray<Figure> => {
  const [low, high, zero] = [tf.scalar(-128), tf.scalar(127), tf.scalar(0)]
  const [x, rows, groups] = [spread([million]), spread([1024, 1024]), spread([1024, 32, 32])]
  const forward = (x: tf.Tensor, scale: tf.Tensor): number =>
    median(
      dropped(() => FakeQuant.fakeQuantize(x, scale, zero, low, high, options)),
      5
    )
  const scale = tf.scalar(0.0078)
  const dy = spread([million])
  // what the tape runs backward, without the forward pass
  const attrs = { outer: 1, repeats: 1, channels: 1, inner: million, scaleStep: 0, zeroStep: 0, rounding: 0, passes: 0 }
  const inputs = { x, scale, zeroPoint: zero, low, high, dy }
  const backward = dropped(() => tf.engine().runKernel("BreveFakeQuantGrad", inputs, attrs))
  return [
    ["fq.tensor.fwd", forward(x, scale)],
    ["fq.tensor.bwd", median(backward, 5)],
    ["fq.channel.fwd", forward(rows, tf.fill([1024, 1], 0.0078))],
    ["fq.channel.last.fwd", forward(rows, tf.fill([1, 1024], 0.0078))],
    ["fq.group32.fwd", forward(groups, tf.fill([1024, 32, 1], 0.0078))],
    [
      "baseline.tfjs.chain",
      median(
        dropped(() => tf.mul(tf.clipByValue(tf.round(tf.div(x, scale)), -128, 127), scale)),
        5
      )
    ]
  ]
}

/** Complete quantizers. */
const quantizers = Effect.gen(function* () {
  const weights = spread([1024, 1024])
  const weight = yield* Injector.resolve(ScaledInt.Int8WeightPerTensorFloat, "tensorQuant")
  const activation = yield* Injector.resolve(ScaledInt.Int8ActPerTensorFloat, "tensorQuant")
  const activations = spread([4096])
  // after training: the scale has been collected and learned
  let state: Brick.State = { parameters: activation.parameters, memory: activation.memory, training: true }
  for (let i = 0; i < 400; i++) {
    state = { ...state, ...activation.prepare(state) }
    const [, memory] = activation.apply(state, activations)
    state = { ...state, memory }
  }
  const ready = { ...state, ...activation.prepare(state), training: false }
  const quantized = (w: tf.Tensor): tf.Tensor => TensorQuantizer.quantize(weight, w, true).value
  const step = tf.grad(quantized)
  const dy = tf.onesLike(weights)
  const figures: ReadonlyArray<Figure> = [
    [
      "weight.int8.fwd",
      median(
        dropped(() => quantized(weights)),
        5
      )
    ],
    [
      "weight.int8.fwdbwd",
      median(
        dropped(() => step(weights, dy)),
        3
      )
    ],
    [
      "act.int8.eval.4k",
      median(
        dropped(() => activation.apply(ready, activations)),
        200
      )
    ]
  ]
  return figures
})

/** All of them; what they make is disposed. */
export const figures = Effect.gen(function* () {
  tf.engine().startScope()
  const all = [...ops(), ...(yield* Effect.scoped(quantizers))]
  tf.engine().endScope()
  return all
})
