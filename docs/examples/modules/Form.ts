import { Convolution, type Form } from "breve"
import { Effect } from "effect"

/** What a layer computes apart from its quantizers, as data: an exporter writes it down. */
export const example = Effect.gen(function* () {
  const layer = yield* Convolution.quantConv2d({ inChannels: 1, outChannels: 1, kernelSize: [3, 3], padding: 1 })
  const form: Form.Form | undefined = layer.form
  return form
})

export const shows = {
  op: "conv",
  strides: [1, 1],
  dilations: [1, 1],
  groups: 1,
  pad: [
    [1, 1],
    [1, 1]
  ]
}
