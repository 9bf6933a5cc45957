import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Ptq from "../../src/ptq/Ptq.ts"
import * as Unfold from "../../src/ptq/Unfold.ts"
import * as Random from "../../src/tensor/Random.ts"

const size = { inChannels: 4, outChannels: 6, kernelSize: [3, 2], weightQuant: null, hasBias: false } as const

describe("Unfold", () => {
  it.each([
    [{}],
    [{ groups: 2, padding: "same", strides: [2, 3] }],
    [{ groups: 2, padding: 1, dilations: [2, 1] }],
    [{ strides: [2, 2] }]
  ] as const)("writes convolutions as products of matrices: %j", (options) =>
    Effect.runPromise(
      Effect.gen(function* () {
        yield* Backend.Backend
        const layer = yield* Convolution.quantConv2d({ ...size, ...options } as typeof size)
        const x = tf.tensor(Random.normal(Random.make(1), 2 * 7 * 8 * 4, 0, 1), [2, 7, 8, 4])
        const form = Unfold.formOf(layer) as NonNullable<ReturnType<typeof Unfold.formOf>>
        const weight = Ptq.hostOf(Layer.read(layer).get(layer.own)?.parameters ?? {}, "weight") as Ptq.Host
        const lie = Unfold.lieOf(form, weight.shape)
        const matrices = Unfold.matricesOf(lie, weight)
        expect(Unfold.weightOf(lie, weight.shape, matrices)).toEqual(weight)
        const y = (yield* Layer.forward(layer, x)) as tf.Tensor
        tf.tidy(() => {
          const parts = Unfold.inputsOf(form, weight.shape, x).map((rows, group) => {
            const { data, rows: outputs, columns } = matrices[group] as (typeof matrices)[number]
            return tf.matMul(rows, tf.transpose(tf.tensor2d(Float32Array.from(data), [outputs, columns])))
          })
          const got = tf.reshape(tf.concat(parts, 1), y.shape)
          expect(tf.max(tf.abs(tf.sub(got, y))).dataSync()[0]).toBeLessThan(1e-5)
        })
        tf.dispose([x, y])
      }).pipe(Effect.scoped, Effect.provide(Backend.layer))
    )
  )
})
