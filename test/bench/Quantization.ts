/**
 * The figures of quantization: the fused op alone, and complete quantizers of the catalogue, on 1 M float32 or 4,096.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe } from "effect"
import type * as Brick from "../../src/core/Brick.ts"
import * as TensorQuantizer from "../../src/core/TensorQuantizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as FakeQuant from "../../src/op/FakeQuant.ts"
import * as Microscaling from "../../src/quant/Microscaling.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import { dropped, type Figure, spread } from "./Figure.ts"

const million = 1 << 20
const options = { rounding: "nearest", clampPasses: false } as const

/** The fused op: forward by shape of its scale, and backward with the gradient of the scale. */
const ops = (): ReadonlyArray<Figure> => {
  const [low, high] = [-128, 127]
  const [x, rows, groups] = [spread([million]), spread([1024, 1024]), spread([1024, 32, 32])]
  const forward = (name: string, x: tf.Tensor, scale: tf.Tensor): Figure => ({
    name,
    inner: 5,
    call: dropped(() => FakeQuant.fakeQuantize(x, scale, 0, low, high, options))
  })
  const scale = tf.scalar(0.0078)
  const dy = spread([million])
  // what the tape runs backward, without the forward pass
  const layout = { outer: 1, repeats: 1, channels: 1, inner: million, scaleStep: 0, zeroStep: 0 }
  const attrs = { ...layout, zeroPoint: 0, low, high, rounding: 0, passes: 0 }
  const inputs = { x, scale, dy }
  return [
    forward("fq.tensor.fwd", x, scale),
    {
      name: "fq.tensor.bwd",
      inner: 5,
      call: dropped(() => tf.engine().runKernel("BreveFakeQuantGrad", inputs, attrs))
    },
    forward("fq.channel.fwd", rows, tf.fill([1024, 1], 0.0078)),
    forward("fq.channel.last.fwd", rows, tf.fill([1, 1024], 0.0078)),
    forward("fq.group32.fwd", groups, tf.fill([1024, 32, 1], 0.0078)),
    {
      name: "baseline.tfjs.chain",
      inner: 5,
      call: dropped(() => tf.mul(tf.clipByValue(tf.round(tf.div(x, scale)), -128, 127), scale))
    }
  ]
}

/** Complete quantizers. */
const quantizers = Effect.gen(function* () {
  const weights = spread([1024, 1024])
  const weight = yield* Injector.resolve(ScaledInt.Int8WeightPerTensorFloat, "tensorQuant")
  const layer = { kind: "QuantLinear", weight: weights, outChannels: 1024, outputChannelAxis: 1 }
  const microscaled = yield* pipe(
    Microscaling.MXFloat8e4m3Weight,
    Injector.let({ module: layer }),
    Injector.resolve("tensorQuant")
  )
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
    { name: "weight.int8.fwd", inner: 5, call: dropped(() => quantized(weights)) },
    { name: "weight.int8.fwdbwd", inner: 3, call: dropped(() => step(weights, dy)) },
    {
      name: "weight.mxfloat8.fwd",
      inner: 1,
      call: dropped(() => TensorQuantizer.quantize(microscaled, weights, true).value)
    },
    { name: "act.int8.eval.4k", inner: 200, call: dropped(() => activation.apply(ready, activations)) }
  ]
  return figures
})

/** All of them; what they use belongs to the surrounding Scope, or is left to the caller's. */
export const figures = Effect.map(quantizers, (complete) => [...ops(), ...complete])
