/**
 * States, and what layers answer, as texts of their bits: equal texts are equal bits.
 *
 * Room: laws. Imports: tfjs, `nn`, `tensor`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Layer from "../src/nn/Layer.ts"
import type * as Stored from "../src/tensor/Stored.ts"

/** A state, a line for each name in their order. */
export const textOf = (state: Stored.Tensors): ReadonlyArray<string> =>
  Object.entries(state)
    .map(
      ([name, { dtype, shape, data }]) =>
        `${name} ${dtype} [${shape}] ${Array.from(data, (b) => b.toString(16).padStart(2, "0")).join("")}`
    )
    .sort()

/** What a layer has answered, with its scales and widths; it is disposed. */
export const answerOf = (y: Layer.Values): ReadonlyArray<string> => {
  const tensors = Layer.tensorsIn(y)
  const bits = tensors.map((tensor) => {
    const data = tensor.dataSync() as Float32Array
    return `[${tensor.shape}] ${Array.from(new Uint32Array(data.buffer, data.byteOffset, data.length), (b) => b.toString(16)).join(" ")}`
  })
  tf.dispose([...tensors])
  return bits
}

/** Where two texts differ first, in words. */
export const difference = (got: ReadonlyArray<string>, wanted: ReadonlyArray<string>): string | undefined => {
  const wrong = wanted.findIndex((one, i) => one !== got[i])
  if (wrong !== -1) return `${(got[wrong] ?? "nothing").slice(0, 120)}, not ${(wanted[wrong] as string).slice(0, 120)}`
  return got.length === wanted.length ? undefined : `there is ${got[wanted.length]?.slice(0, 80)} besides`
}
