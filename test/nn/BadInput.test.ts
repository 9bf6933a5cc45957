/** What a caller may get wrong about the quantizers of a layer, and the typed error that he gets. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Microscaling from "../../src/quant/Microscaling.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"

const size = { inFeatures: 6, outFeatures: 2 }

/** The error of a program, which must leave no tensor behind. */
const errorOf = async (program: Effect.Effect<unknown, unknown, Scope.Scope>): Promise<unknown> => {
  const before = tf.memory().numTensors
  const error = await Effect.runPromise(Effect.flip(Effect.scoped(program)))
  expect(tf.memory().numTensors).toBe(before)
  return error
}
const refused = (option: string) => ({ _tag: "ConstructionFailed", cause: { _tag: "InvalidOptions", option } })

beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer))))

describe("bad options are refused when the layer is made", () => {
  it.each([0, 33, -1, 2.5, Number.NaN])("bit-width %s", async (bitWidth) => {
    const layer = Linear.quantLinear({ ...size, weight: { bitWidth } } as never)
    expect(await errorOf(layer)).toMatchObject(refused("bitWidth"))
  })
  it("one bit of a narrow range", async () => {
    const layer = Linear.quantLinear({ ...size, weight: { bitWidth: 1 } })
    expect(await errorOf(layer)).toMatchObject(refused("narrowRange"))
  })
  it.each([0, -4, 2.5])("group size %s", async (groupSize) => {
    const weightQuant = pipe(Microscaling.MXInt8Weight, Injector.let({ groupSize }))
    expect(await errorOf(Linear.quantLinear({ ...size, weightQuant }))).toMatchObject(refused("groupSize"))
  })
  it.each([-1, 101, Number.NaN])("percentile %s", async (highPercentileQ) => {
    const act = Activation.quantIdentity({ act: { highPercentileQ } } as never)
    expect(await errorOf(act)).toMatchObject(refused("highPercentileQ"))
  })
  it("a minifloat whose bits do not add up", async () => {
    const weightQuant = pipe(Microscaling.MXFloat8e4m3Weight, Injector.let({ exponentBitWidth: 5 }))
    expect(await errorOf(Linear.quantLinear({ ...size, weightQuant }))).toMatchObject({
      _tag: "ConstructionFailed",
      cause: { _tag: "InvalidOptions" }
    })
  })
})

describe("bad input is refused when it runs through", () => {
  it("other channels than the quantizer has scales for", async () => {
    const program = Effect.gen(function* () {
      const layer = yield* Activation.quantIdentity({
        actQuant: ScaledInt.Int8ActPerTensorFloat,
        act: { scalingPerOutput: "channel", perChannelBroadcastableShape: [1, 4] }
      })
      const x = yield* Effect.acquireRelease(
        Effect.sync(() => tf.ones([2, 3])),
        (tensor) => Effect.sync(() => tensor.dispose())
      )
      return yield* Layer.forward(layer, x)
    })
    expect(await errorOf(program)).toMatchObject({ _tag: "ShapeMismatch", expected: "[any, 4]", actual: [2, 3] })
  })
  it("a bias on the scale of products, of inputs that are not quantized", async () => {
    const program = Effect.gen(function* () {
      const layer = yield* Linear.quantLinear({ ...size, biasQuant: ScaledInt.Int32Bias })
      const x = yield* Effect.acquireRelease(
        Effect.sync(() => tf.ones([1, 6])),
        (tensor) => Effect.sync(() => tensor.dispose())
      )
      return yield* Layer.forward(layer, x)
    })
    expect(await errorOf(program)).toMatchObject({ _tag: "MissingInput", quantizer: "Int32Bias", missing: ["scale"] })
  })
})
