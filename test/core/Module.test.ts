/**
 * Which axis of a weight counts input channels, for the layers that there are.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Module from "../../src/core/Module.ts"
import * as TransposedConvolution from "../../src/nn/TransposedConvolution.ts"
import * as Weighted from "../../src/nn/Weighted.ts"
import * as Microscaling from "../../src/quant/Microscaling.ts"

describe("inputChannelAxis", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true }))))

  it.each([
    ["a linear layer [in, out]", [3, 5], 1, 0],
    ["a convolution [h, w, in, out]", [2, 2, 3, 5], 3, 2],
    ["a transposed convolution [h, w, out, in]", [2, 2, 5, 3], 2, 3],
    ["a transposed convolution of sequences [k, out, in]", [2, 5, 3], 1, 2],
    ["a table [rows, dim]", [7, 3], 0, 1]
  ] as const)("of %s", (_, shape, outputChannelAxis, axis) => {
    const weight = tf.zeros([...shape])
    const module: Module.Module = { kind: "", weight, outChannels: 5, outputChannelAxis }
    expect(Module.inputChannelAxis(module)).toBe(axis)
    weight.dispose()
  })
  it("is where weights in groups are grouped, in transposed convolutions, too", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const layer = yield* TransposedConvolution.quantConvTranspose2d({
            inChannels: 4,
            outChannels: 3,
            kernelSize: [2, 2],
            weightQuant: Microscaling.MXInt8Weight,
            weight: { groupSize: 2 }
          })
          const { grouped } = yield* Weighted.quantWeight(layer)
          expect(grouped?.value.shape).toEqual([2, 2, 3, 2, 2])
          expect(grouped?.scale.shape).toEqual([2, 2, 3, 2, 1])
        })
      )
    ))
})
