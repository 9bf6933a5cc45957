import * as tf from "@tensorflow/tfjs-core"
import { QuantTensor, Weighted } from "breve"
import { Effect } from "effect"

/** Looks at a quant tensor, then disposes it. */
export const disposed =
  <A>(look: (x: QuantTensor.QuantTensor) => A) =>
  (x: QuantTensor.QuantTensor): A => {
    const seen = look(x)
    for (const tensor of QuantTensor.tensorsOf(x)) tensor.dispose()
    return seen
  }

/** The scale with which a layer quantizes its weight at present. */
export const scaleOf = (layer: Weighted.Weighted) =>
  Effect.map(
    Weighted.quantWeight(layer),
    disposed(({ scale }) => [...scale.dataSync()])
  )

/** The proxy of a layer's weight; a layer may have none. */
export const proxyOf = (layer: Weighted.Weighted) => Effect.fromNullishOr(layer.weightQuant)

/** The largest magnitude of a tensor. */
export const largest = (x: tf.Tensor): number => tf.tidy(() => tf.max(tf.abs(x)).dataSync()[0] ?? 0)
