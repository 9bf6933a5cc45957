/**
 * Kernels that keep their laws, and for each law one that does not.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as KernelLaws from "../../laws/KernelLaws.ts"
import * as Kernels from "../../laws/Kernels.ts"
import type * as Law from "../../laws/Law.ts"
import { onCpu } from "./OnCpu.ts"
import type { Pack } from "./Pack.ts"

type Kernel = KernelLaws.Kernel

const kernel = (name: string): Kernel => Kernels.all.find((one) => one.name === name) as Kernel
const fakeQuant = kernel("fake-quant")
const rectifier = kernel("the rectifier")

/** The same calls, but for what is done. */
const instead = (of: Kernel, op: (made: KernelLaws.Made) => KernelLaws.Made["op"]): Kernel => ({
  ...of,
  make: (call) => {
    const made = of.make(call)
    return { ...made, op: op(made) }
  }
})

const broken: ReadonlyArray<readonly [Law.Law<Kernel>, string, Kernel]> = [
  [
    KernelLaws.valued,
    "NaN is zero",
    instead(fakeQuant, ({ op }) => (...inputs) => {
      const y = op(...inputs)
      return tf.where(tf.isNaN(y), tf.zerosLike(y), y)
    })
  ],
  [
    KernelLaws.valued,
    "the last element of four is left",
    instead(rectifier, ({ op }) => (x) => {
      const y = op(x as tf.Tensor)
      const kept = y.dataSync().map((v, i, all) => (all.length > 4 && i === all.length - 1 ? 0 : v))
      return tf.add(tf.tensor(kept, y.shape), tf.mul(y, 0))
    })
  ],
  [
    KernelLaws.differentiated,
    "the gradient passes",
    instead(
      rectifier,
      ({ op }) =>
        (x) =>
          tf.add(tf.sub(op(x as tf.Tensor), x as tf.Tensor), x as tf.Tensor)
    )
  ],
  [
    KernelLaws.reading,
    "counts its calls",
    instead(rectifier, ({ op }) => {
      const calls = { count: 0 }
      return (x) => {
        calls.count++
        return tf.add(op(x as tf.Tensor), calls.count > 2 ? 1 : 0)
      }
    })
  ],
  [
    KernelLaws.reading,
    "puts its answer into its input",
    instead(rectifier, ({ op }) => (x) => {
      const y = op(x as tf.Tensor)
      const backend = tf.backend() as unknown as {
        readonly wasm: { readonly HEAPF32: Float32Array }
        readonly dataIdMap: { readonly get: (dataId: tf.DataId) => { readonly memoryOffset: number } }
      }
      const at = backend.dataIdMap.get((x as tf.Tensor).dataId).memoryOffset / 4
      if (y.size > 0) backend.wasm.HEAPF32.set(y.dataSync() as Float32Array, at)
      return y
    })
  ]
]

export const pack: Pack<Kernel> = {
  name: "KernelLaws",
  laws: KernelLaws.all,
  good: [
    ...Kernels.all.map((one) => [one.name, Effect.succeed(one)] as const),
    ["fake-quant on cpu", onCpu(fakeQuant)]
  ],
  broken: broken.map(([law, how, one]) => [law, how, Effect.succeed({ ...one, name: how })]),
  runs: 60
}
