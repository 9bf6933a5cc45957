/** Every weight, bias and activation quantizer of the catalogue in a layer: it runs, it trains a step, and leaves nothing behind. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import type * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"
import { Int8ActPerTensorFloat } from "../../src/quant/ScaledInt.ts"
import * as Trainer from "../../src/train/Trainer.ts"

const [inFeatures, outFeatures] = [6, 4]

/** What a declaration leaves open. */
const given = (entry: Injector.Any): Readonly<Record<string, unknown>> => {
  const minifloat = Catalogue.facts(entry).format.kind === "minifloat"
  const known: Readonly<Record<string, unknown>> = {
    bitWidth: minifloat ? 6 : 8,
    exponentBitWidth: 3,
    mantissaBitWidth: 2,
    perChannelBroadcastableShape: [1, outFeatures],
    minVal: -1,
    maxVal: 1
  }
  return Object.fromEntries(
    Catalogue.facts(entry)
      .needs.filter((name) => name in known)
      .map((name) => [name, known[name]])
  )
}

/** An input that is a quant tensor, then a layer with the quantizer in its slot. */
const model = (
  slot: Catalogue.Slot | undefined,
  entry: Injector.Any
): Effect.Effect<Layer.Layer, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const options = given(entry)
    const input = yield* Activation.quantIdentity({ actQuant: Int8ActPerTensorFloat, returnQuantTensor: true })
    const linear = yield* Linear.quantLinear({
      inFeatures,
      outFeatures,
      ...(slot === "weight" && { weightQuant: entry, weight: options }),
      ...(slot === "bias" && { biasQuant: entry, bias: options })
    } as never)
    if (slot !== "activation") return Model.sequential({ input, linear })
    const activation = yield* Activation.quantIdentity({ actQuant: entry, act: options } as never)
    return Model.sequential({ input, linear, activation })
  })

const run = (slot: Catalogue.Slot | undefined, entry: Injector.Any): Promise<ReadonlyArray<number>> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const layers = yield* model(slot, entry)
        const x = yield* Effect.acquireRelease(
          Effect.sync(() => tf.tensor2d([0.5, -1, 0.25, 2, -0.75, 1, 1, 0.1, -0.4, 0.9, 0.3, -2], [2, inFeatures])),
          (tensor) => Effect.sync(() => tensor.dispose())
        )
        const trainer = yield* Trainer.make(layers, Optimizer.sgd(0.01))
        const losses: Array<number> = []
        for (const _ of [1, 2, 3]) losses.push(yield* Trainer.step(trainer, x, (y) => tf.mean(tf.square(y))))
        const y = yield* Layer.forward(layers, x)
        losses.push(...QuantTensor.dequantized(y).dataSync())
        tf.dispose([...QuantTensor.tensorsOf(y)])
        return losses
      })
    )
  )

// sequences and images: their input is no vector
const needsImages = /BatchQuant/

const entries = Object.entries(Catalogue.entries).filter(
  ([name, entry]) => Catalogue.facts(entry).slot !== "truncation" && !needsImages.test(name)
)

beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer))))

describe("every quantizer in a layer", () => {
  it.each(entries)("%s", async (_, entry) => {
    const before = tf.memory().numTensors
    const numbers = await run(Catalogue.facts(entry).slot, entry)
    expect(numbers).toHaveLength(3 + 2 * outFeatures)
    expect(numbers.every(Number.isFinite)).toBe(true)
    expect(tf.memory().numTensors).toBe(before)
  })
})
