/** Errors within models say which layer they are about. */
import * as tf from "@tensorflow/tfjs-core"
import { Cause, Effect, Exit, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Elementwise from "../../src/nn/Elementwise.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Errors from "../../src/tensor/Errors.ts"
import * as Loss from "../../src/train/Loss.ts"
import * as Trainer from "../../src/train/Trainer.ts"

const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })
const owned = <T extends tf.Tensor>(make: () => T): Effect.Effect<T, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (tensor) => Effect.sync(() => tensor.dispose()))

const sizes = { inFeatures: 4, outFeatures: 4 }

describe.each([
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)("the place of an error, on %s", (_, backend) => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, backend, { local: true }))))
  const input = owned(() => tf.ones([2, 4]))

  scopedTest("is the path of layers and the quantizer, through models within models, in training steps too", () =>
    Effect.gen(function* () {
      const x = yield* input
      const fine = yield* Linear.quantLinear(sizes)
      const needy = yield* Linear.quantLinear({ ...sizes, biasQuant: ScaledInt.Int32Bias })
      const block = Model.functional({ fine, needy }, (layer, x: Layer.Value) => layer.needy(layer.fine(x)))
      const model = Model.sequential({ enter: fine, block })
      const failure = yield* Effect.flip(Layer.forward(model, x))
      expect(failure).toBeInstanceOf(Errors.MissingInput)
      expect(failure).toMatchObject({ _tag: "MissingInput", layer: "block.needy.biasQuant", quantizer: "Int32Bias" })
      expect(failure.message).toMatch(/^block\.needy\.biasQuant: Int32Bias needs scale from outside; hand it/)
      const trainer = yield* Trainer.make(model, Optimizer.sgd(0.1))
      const step = Trainer.step(trainer, x, (y) => Loss.meanSquaredError(y, x))
      expect(yield* Effect.flip(step)).toMatchObject({ layer: "block.needy.biasQuant" })
      const caught = yield* Effect.catchTag(Layer.forward(model, x), "MissingInput", ({ layer }) =>
        Effect.succeed(layer)
      )
      expect(caught).toBe("block.needy.biasQuant")
    })
  )

  scopedTest("is there for shapes, and for sums of different scales, whose sides are named by their quantizers", () =>
    Effect.gen(function* () {
      const x = yield* input
      const norm = yield* Normalization.batchNorm({ channels: 3 })
      const shape = yield* Effect.flip(Layer.forward(Model.sequential({ norm }), x))
      expect(shape).toMatchObject({ _tag: "ShapeMismatch", layer: "norm", actual: [2, 4] })
      expect(shape.message).toBe("norm: the input of BatchNorm: expected shape [..., 3], got [2, 4]")
      const [left, right] = [
        yield* Activation.quantReLU({ returnQuantTensor: true }),
        yield* Activation.quantIdentity({ returnQuantTensor: true })
      ]
      const add = yield* Elementwise.quantEltwiseAdd({ inputQuant: null, outputQuant: null })
      const model = Model.functional({ left, right, add }, (layer, x: Layer.Value) =>
        layer.add([layer.left(x), layer.right(x)])
      )
      const scale = yield* Effect.flip(Layer.forward(model, x))
      expect(scale).toMatchObject({ _tag: "ScaleMismatch", layer: "add" })
      expect(scale.message).toMatch(/^add: add: the scales differ: "Uint8ActPerTensorFloat" has .*alignScales\.$/)
    })
  )

  scopedTest("is absent from a layer of its own, and what is no failure of the input stays a defect as it was", () =>
    Effect.gen(function* () {
      const x = yield* input
      const norm = yield* Normalization.batchNorm({ channels: 3 })
      const alone = yield* Effect.flip(Layer.forward(norm, x))
      expect([alone._tag, alone.layer]).toEqual(["ShapeMismatch", undefined])
      expect(alone.message).toBe("the input of BatchNorm: expected shape [..., 3], got [2, 4]")
      const bug = new Error("a bug")
      const broken = Model.stateless("Broken", () => {
        throw bug
      })
      const exit = yield* Effect.exit(Layer.forward(Model.sequential({ broken }), x))
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBe(bug)
    })
  )

  scopedTest("a linear layer says what shape it takes, of a quant tensor too", () =>
    Effect.gen(function* () {
      const x = yield* input
      const out = yield* Linear.quantLinear({ inFeatures: 5, outFeatures: 2 })
      const failure = yield* Effect.flip(Layer.forward(Model.sequential({ out }), x))
      expect(failure).toMatchObject({ _tag: "ShapeMismatch", layer: "out", actual: [2, 4] })
      expect(failure.message).toBe("out: the input of QuantLinear: expected shape [..., 5], got [2, 4]")
      const quantized = yield* Effect.acquireRelease(
        Effect.sync(() =>
          QuantTensor.fromNumbers(x, { scale: 1, zeroPoint: 0, bitWidth: 8, signed: true, training: false })
        ),
        (made) => Effect.sync(() => QuantTensor.dispose(made))
      )
      expect(yield* Effect.flip(Layer.forward(out, quantized))).toMatchObject({ _tag: "ShapeMismatch" })
    })
  )
})
