/** IntegerResize.ts: images of integers in another size are what floats are, times the denominator, exactly. */

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import fc from "fast-check"
import { expect } from "vitest"
import * as IntegerNetwork from "../../src/exchange/IntegerNetwork.ts"
import * as IntegerResize from "../../src/exchange/IntegerResize.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Upsample from "../../src/nn/Upsample.ts"
import * as Resize from "../../src/op/Resize.ts"
import * as FixedPoint from "../../src/quant/FixedPoint.ts"
import * as ShiftedScaledInt from "../../src/quant/ShiftedScaledInt.ts"
import { onBackends, owned, ownedValue, scoped } from "../nn/Scoped.ts"
import * as Networks from "./Networks.ts"

const side = fc.integer({ min: 1, max: 9 })
const size = fc.tuple(side, side)

onBackends("an image of integers in another size", () => {
  scoped("is that of floats", () =>
    Effect.sync(() => {
      fc.assert(
        fc.property(size, size, fc.boolean(), fc.integer({ min: -5, max: 5 }), (from, to, alignCorners, zeroPoint) => {
          const count = 2 * from[0] * from[1] * 3
          const data = Int32Array.from({ length: count }, (_, i) => ((i * 37) % 41) - 20)
          const x = { shape: [2, ...from, 3], data }
          const floats = (f: (x: tf.Tensor) => tf.Tensor): ReadonlyArray<number> =>
            tf.tidy(() => [...f(tf.sub(tf.tensor(Float32Array.from(data), x.shape as number[]), zeroPoint)).dataSync()])
          const near = IntegerResize.nearest(x, { op: "resizeNearest", from, to })
          expect(near.shape).toEqual([2, ...to, 3])
          expect([...near.data].map((q) => q - zeroPoint)).toEqual(floats((f) => Resize.nearest(f, to)))
          const lines = IntegerResize.linear(x, { op: "resizeLinear", from, to, alignCorners, zeroPoint })
          const parts = IntegerResize.denominators(to, alignCorners)
          const wanted = floats((f) => Resize.bilinear(f, to, alignCorners))
          for (const [i, q] of lines.data.entries()) expect(q / parts).toBeCloseTo(wanted[i] as number, 3)
        }),
        { numRuns: 60 }
      )
    })
  )

  scoped("is what the layers do, and goes through a file", () =>
    Effect.gen(function* () {
      const layers = [
        Upsample.upsampleNearest({ scaleFactor: 2 }),
        Upsample.upsampleNearest({ size: [7, 10] }),
        Upsample.upsampleBilinear({ scaleFactor: 2 }),
        Upsample.upsampleBilinear({ size: [10, 8], alignCorners: true })
      ]
      for (const actQuant of [FixedPoint.Int8ActPerTensorFixedPoint, ShiftedScaledInt.ShiftedUint8ActPerTensorFloat])
        for (const up of layers) {
          const input = yield* (
            Activation.quantIdentity as (options: object) => ReturnType<typeof Activation.quantIdentity>
          )({ actQuant, act: { collectStatsSteps: 2 }, returnQuantTensor: true })
          const model = Model.sequential({ input, up })
          const shape = [3, 6, 6, 2]
          for (const seed of [1, 2, 3]) {
            const x = yield* owned(() => Networks.drawn(seed, shape))
            yield* ownedValue(Layer.forward(model, x, Layer.training) as Effect.Effect<Layer.Value, Layer.InputError>)
          }
          const network = yield* IntegerNetwork.of(model, shape)
          const x = yield* owned(() => Networks.drawn(9, shape))
          const values = x.dataSync() as Float32Array
          const y = (yield* ownedValue(Layer.forward(model, x))) as tf.Tensor | { readonly value: tf.Tensor }
          const floats = ("value" in y ? y.value : y).dataSync()
          const answer = yield* IntegerNetwork.run(network, values)
          // half a step more or less is a tie
          const first = IntegerNetwork.quantized(network, values, shape)
          const margins = IntegerNetwork.margins(network, first)
          const each = answer.data.length / 3
          for (const [i, q] of answer.data.entries()) {
            const step = IntegerNetwork.stepOf(answer.meaning, floats[i] as number, i)
            if (Math.abs(step - q) > 0.1) expect(margins[Math.floor(i / each)]).toBeLessThan(1e-3)
          }
          expect(yield* Effect.fromResult(IntegerNetwork.decode(IntegerNetwork.encode(network)))).toEqual(network)
        }
    })
  )
})
