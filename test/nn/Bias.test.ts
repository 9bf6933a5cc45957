import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import { BitWidthConst } from "../../src/core/BitWidth.ts"
import * as Clamp from "../../src/core/Clamp.ts"
import * as IntQuant from "../../src/core/IntQuant.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as PrescaledIntQuant from "../../src/core/PrescaledIntQuant.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Rounding from "../../src/core/Rounding.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import { Int8WeightPerTensorFloat } from "../../src/quant/ScaledInt.ts"
import * as LeasedRef from "../../src/tensor/LeasedRef.ts"
import * as Loss from "../../src/train/Loss.ts"
import * as Trainer from "../../src/train/Trainer.ts"

/** A bias of 16 bits on the scale of its layer's products. */
const bias = Injector.make("Bias16", {
  tensorQuant: PrescaledIntQuant.PrescaledRestrictIntQuant,
  intQuant: IntQuant.IntQuant,
  floatToIntImpl: Rounding.RoundSte,
  tensorClampImpl: Clamp.TensorClamp,
  signed: true,
  narrowRange: false,
  bitWidthImpl: BitWidthConst,
  bitWidth: 16
})

const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })
const owned = <T extends tf.Tensor>(make: () => T): Effect.Effect<T, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (tensor) => Effect.sync(() => tensor.dispose()))
const input = Effect.map(
  Effect.all([
    owned(() => tf.tensor2d([[0.5, -1]])),
    owned(() => tf.tensor1d([0.25])),
    owned(() => tf.scalar(0)),
    owned(() => tf.scalar(8))
  ]),
  ([value, scale, zeroPoint, bitWidth]) =>
    QuantTensor.make({ value, scale, zeroPoint, bitWidth, signed: true, training: false })
)

describe("a bias on the scale of its layer's products", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true }))))
  const options = { inFeatures: 2, outFeatures: 3, biasQuant: bias }

  for (const scalingPerOutput of ["tensor", "channel"] as const)
    scopedTest(`takes the product of both scales, one per ${scalingPerOutput}`, () =>
      Effect.gen(function* () {
        const weightQuant = Injector.let(Int8WeightPerTensorFloat, { scalingPerOutput })
        const [quantized, plain] = [
          yield* Linear.quantLinear({ ...options, weightQuant }),
          yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 3, weightQuant })
        ]
        const x = yield* input
        const [y, float] = [yield* Layer.forward(quantized, x), yield* Layer.forward(plain, x)] as [
          tf.Tensor,
          tf.Tensor
        ]
        const { weight, bias } = LeasedRef.current(quantized.own).parameters as { weight: tf.Tensor; bias: tf.Tensor }
        const w = weight.arraySync() as ReadonlyArray<ReadonlyArray<number>>
        const columns = [0, 1, 2].map((j) => Math.max(...w.map((row) => Math.abs(row[j] as number))))
        const steps = [...y.dataSync()].map((value, j) => {
          const scale = (0.25 * (scalingPerOutput === "tensor" ? Math.max(...columns) : (columns[j] as number))) / 127
          const b = bias.dataSync()[j] as number
          return [(value - (float.dataSync()[j] as number) + b) / scale, Math.round(b / scale)]
        })
        for (const [found, expected] of steps) expect(found).toBeCloseTo(expected as number, 2)
        tf.dispose([y, float])
      })
    )

  scopedTest("fails without a quantized input, or without a quantized weight; nothing is written", () =>
    Effect.gen(function* () {
      const x = yield* input
      const layer = yield* Linear.quantLinear(options)
      const floating = yield* Linear.quantLinear({ ...options, weightQuant: null })
      const missing = { _tag: "MissingInput", quantizer: "Bias16", missing: ["scale"] }
      expect(yield* Effect.flip(Layer.forward(layer, x.value))).toMatchObject(missing)
      expect(yield* Effect.flip(Layer.forward(floating, x))).toMatchObject(missing)
      const trainer = yield* Trainer.make(layer, Optimizer.sgd(0.1))
      const labels = yield* owned(() => tf.tensor1d([1], "int32"))
      const failure = yield* Effect.flip(Trainer.step(trainer, x.value, (y) => Loss.crossEntropy(y, labels)))
      expect(failure).toMatchObject(missing)
    })
  )
})
