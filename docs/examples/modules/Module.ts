import { Injector, Linear, Module, QuantTensor, ScaledInt, Weighted } from "breve"
import { Effect, pipe } from "effect"

/** Fewer bits for large layers: an option that is computed from the layer that the quantizer serves. */
const BySize = pipe(
  ScaledInt.Int8WeightPerTensorFloat,
  Injector.let({
    bitWidth: Injector.value(["module"], (layers: Module.Modules) =>
      Module.list(layers).some(({ outChannels }) => outChannels > 100) ? 4 : 8
    )
  })
)

export const example = Effect.forEach([10, 200], (outFeatures) =>
  Effect.gen(function* () {
    const layer = yield* Linear.quantLinear({ inFeatures: 4, outFeatures, weightQuant: BySize })
    const weight = yield* Weighted.quantWeight(layer)
    const [bits] = weight.bitWidth.dataSync()
    QuantTensor.dispose(weight)
    return { outFeatures, bits }
  })
)

export const shows = [
  { outFeatures: 10, bits: 8 },
  { outFeatures: 200, bits: 4 }
]
