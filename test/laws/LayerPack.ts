/**
 * Sequences of layers that keep their laws, and for each law one that does not.
 */
import { Effect } from "effect"
import type * as Law from "../../laws/Law.ts"
import * as LayerLaws from "../../laws/LayerLaws.ts"
import * as Activation from "../../src/nn/Activation.ts"
import type * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import type { Pack } from "./Pack.ts"

type Sequence = LayerLaws.Sequence
const { sequential } = LayerLaws

const make = Effect.gen(function* () {
  const a = yield* Linear.quantLinear({
    inFeatures: 5,
    outFeatures: 4,
    seed: 1,
    inputQuant: ScaledInt.Int8ActPerTensorFloat
  })
  const b = yield* Activation.quantReLU({ act: { collectStatsSteps: 2 }, returnQuantTensor: true })
  const c = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 3, seed: 2, biasQuant: ScaledInt.Int32Bias })
  return [a, b, c] as unknown as readonly [Layer.Layer, Layer.Layer, Layer.Layer]
})
const sample: Sequence = { name: "a network", make, input: [3, 5], sequential }

const broken: ReadonlyArray<readonly [Law.Law<Sequence>, string, Sequence["sequential"]]> = [
  [
    LayerLaws.associative,
    "rectifies what a pair answers",
    (layers) =>
      sequential(
        Object.keys(layers).length === 2 && "b" in layers && "c" in layers ? { ...layers, relu: Model.relu } : layers
      )
  ],
  [LayerLaws.composed, "leaves out the second", ({ b: _, ...layers }) => sequential(layers)],
  [
    LayerLaws.neutral,
    "nothing rectifies",
    (layers) => sequential(Object.keys(layers).length === 0 ? { relu: Model.relu } : layers)
  ]
]

export const pack: Pack<Sequence> = {
  name: "LayerLaws",
  laws: LayerLaws.all,
  good: [["a network", Effect.succeed(sample)]],
  broken: broken.map(([law, how, by]) => [law, how, Effect.succeed({ ...sample, name: how, sequential: by })]),
  runs: 80
}
