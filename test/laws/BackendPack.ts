/**
 * Operations on which backends agree, and one on which they do not.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as BackendLaws from "../../laws/BackendLaws.ts"
import * as Kernels from "../../laws/Kernels.ts"
import * as Backend from "../../src/backend/Backend.ts"
import type { Made, Pack } from "./Pack.ts"

type Across = BackendLaws.Across

/** Both backends are started, and that of the pack is selected. */
const onBoth = (subject: Across): Made<Across> =>
  Effect.as(
    Effect.andThen(
      Effect.provide(Backend.Backend, Backend.cpu, { local: true }),
      Effect.provide(Backend.Backend, Backend.layer, { local: true })
    ),
    subject
  )

const backends = ["cpu", "wasm"] as const
const across = Kernels.all.map(({ kernels: _, ...kernel }): Across => ({ ...kernel, backends }))

const rectifier = across.find(({ name }) => name === "the rectifier") as Across

export const pack: Pack<Across> = {
  name: "BackendLaws",
  laws: BackendLaws.all,
  good: across.map((one) => [one.name, onBoth(one)] as const),
  broken: [
    [
      BackendLaws.agreeing,
      "tfjs's own clamp, which loses NaN on WASM",
      onBoth({
        ...rectifier,
        name: "tf.clipByValue",
        make: (call) => ({ ...rectifier.make(call), op: (x) => tf.clipByValue(x as tf.Tensor, -1, 1) })
      })
    ]
  ],
  runs: 40
}
