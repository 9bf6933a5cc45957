import { Calibrate, MixedPrecision, Noise, Sensitivity } from "breve"
import { Effect } from "effect"
import { batches, network } from "./model.ts"

const of = (bitWidth: number): MixedPrecision.Candidate => ({
  quantizer: "Int8WeightPerChannelFloat",
  options: { bitWidth, scalingImplType: "parameterFromStats" }
})

export const run = Effect.gen(function* () {
  const model = yield* Calibrate.calibrate(batches)(yield* network)
  const sensitivity = yield* Sensitivity.measure(model, batches)
  const rows = sensitivity.rows.map(
    ({ layer, own, network }) => `${layer}: ${Noise.shown(own)} dB, the network by it ${Noise.shown(network)} dB`
  )
  // 640 weights, less than three and a half bits for each on average
  const measured = yield* MixedPrecision.measure(model, batches, [of(2), of(3), of(4), of(8)])
  const chosen = yield* MixedPrecision.choose(measured, { of: "size", most: 2200 })
  const layers = chosen.layers.map(({ layer, bits }) => `${layer} ${bits} bits`)
  return [...rows, `chosen: ${layers.join(", ")}, ${chosen.cost} bits`].join("\n")
})
