/**
 * Layers whose states keep their laws, and for each law a way to handle them that does not.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe } from "effect"
import type * as Law from "../../laws/Law.ts"
import * as StateLaws from "../../laws/StateLaws.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Cell from "../../src/proxy/Cell.ts"
import * as Float from "../../src/quant/FloatOcp.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as LeasedRef from "../../src/tensor/LeasedRef.ts"
import type * as Stored from "../../src/tensor/Stored.ts"
import type { Pack } from "./Pack.ts"

type Stateful = StateLaws.Stateful
const { handling } = StateLaws

const { Int8ActPerTensorFloat, Int8WeightPerTensorFloat, Int8WeightPerChannelFloat, Int32Bias } = ScaledInt
/** A scale that is learned, from the statistics of the weights on. */
const Learned = pipe(Int8WeightPerTensorFloat, Injector.let({ scalingImplType: "parameterFromStats" })) as never

const linear = Linear.quantLinear({
  ...{ inFeatures: 6, outFeatures: 3, seed: 5, weightQuant: Int8WeightPerChannelFloat },
  ...{ inputQuant: Int8ActPerTensorFloat, biasQuant: Int32Bias, returnQuantTensor: true }
})
const network = Effect.gen(function* () {
  const first = yield* Linear.quantLinear({ inFeatures: 6, outFeatures: 4, seed: 1, inputQuant: Int8ActPerTensorFloat })
  const relu = yield* Activation.quantReLU({ act: { collectStatsSteps: 2 } })
  const last = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 2, seed: 2, weightQuant: Learned })
  return Model.sequential({ first, relu, last } as never)
})
const convolution = Convolution.quantConv2d({
  ...{
    inChannels: 2,
    outChannels: 3,
    kernelSize: [3, 3] as const,
    seed: 4,
    weightQuant: Float.Fp8e4m3OCPWeightPerTensorFloat
  }
})
const shared = Effect.gen(function* () {
  const first = yield* Linear.quantLinear({ inFeatures: 6, outFeatures: 6, seed: 1 })
  const second = yield* Linear.quantLinear({
    inFeatures: 6,
    outFeatures: 6,
    seed: 2,
    weightQuant: first.weightQuant as never
  })
  return Model.sequential({ first, second } as never)
})

/** A width that is refused for large weights. */
const picky = Injector.merge(
  Int8WeightPerTensorFloat as Injector.Any,
  Injector.make({
    bitWidth: Injector.value(["module"], ({ weight }: { readonly weight: tf.Tensor }) => {
      if (weight.dataSync().some((x) => Math.abs(x) > 50)) throw new Error("weights as large as that")
      return 8
    })
  })
)
const refusing = Linear.quantLinear({ inFeatures: 6, outFeatures: 3, seed: 3, weightQuant: picky as never })
const large = (state: Stored.Tensors): Stored.Tensors =>
  Object.fromEntries(
    Object.entries(state).map(([name, one]) => [
      name,
      name === "weight" ? { ...one, data: new Uint8Array(Float32Array.from({ length: 18 }, () => 99).buffer) } : one
    ])
  )

const of = (name: string, make: Stateful["make"], ...input: ReadonlyArray<number>): Stateful => ({
  ...handling,
  name,
  make,
  input
})
const subjects: ReadonlyArray<Stateful> = [
  of("a linear layer", linear as Stateful["make"], 4, 6),
  of("a network", network as Stateful["make"], 4, 6),
  of("a convolution of minifloats", convolution as Stateful["make"], 1, 5, 5, 2),
  { ...of("a layer whose quantizer is picky", refusing as Stateful["make"], 4, 6), refused: large },
  of("layers that share a quantizer", shared as Stateful["make"], 3, 6),
  of("an activation that learns", Activation.quantIdentity({ act: { collectStatsSteps: 2 } }) as Stateful["make"], 2, 6)
]
const sample = subjects[1] as Stateful

const changed = (state: Stored.Tensors, f: (data: Uint8Array) => Uint8Array): Stored.Tensors =>
  Object.fromEntries(Object.entries(state).map(([name, one]) => [name, { ...one, data: f(one.data) }]))

const broken: ReadonlyArray<readonly [Law.Law<Stateful>, string, Partial<Stateful>]> = [
  [
    StateLaws.loaded,
    "loads every second name",
    {
      load: (layer, state, policy) =>
        handling.load(layer, Object.fromEntries(Object.entries(state).filter((_, i) => i % 2 === 0)), policy)
    }
  ],
  [StateLaws.resumed, "loads nothing", { load: () => Effect.void }],
  [
    StateLaws.exchanged,
    "loses the last bit",
    {
      ways: {
        rounded: (state) => Effect.succeed(changed(state, (data) => data.map((b, i) => (i % 4 === 0 ? b & 0xfe : b))))
      }
    }
  ],
  [StateLaws.pure, "evaluates in training", { forward: (layer, x) => handling.forward(layer, x, Layer.training) }],
  [StateLaws.frozen, "the layer itself", { freeze: Effect.succeed }],
  [
    StateLaws.unharmed,
    "forgets before it looks",
    {
      load: (layer, state, policy) =>
        Effect.andThen(
          Effect.sync(() => {
            for (const [name, cell] of layer.cells) {
              const { parameters, memory } = LeasedRef.current(cell)
              const zeros = Object.fromEntries(
                Object.entries(parameters).map(([at, x]) => [at, x instanceof tf.Tensor ? tf.zerosLike(x) : x])
              )
              if (name === "first") Cell.commit(cell, { parameters: zeros, memory })
            }
          }),
          handling.load(layer, state, policy)
        )
    }
  ],
  [
    StateLaws.repeatable,
    "a seed of its own each time",
    {
      make: Effect.suspend(() =>
        Linear.quantLinear({ inFeatures: 6, outFeatures: 2, seed: seeds.next++ })
      ) as Stateful["make"]
    }
  ]
]
const seeds = { next: 1 }

export const pack: Pack<Stateful> = {
  name: "StateLaws",
  laws: StateLaws.all,
  good: subjects.map((subject) => [subject.name, Effect.succeed(subject)] as const),
  broken: broken.map(([law, how, parts]) => [law, how, Effect.succeed({ ...sample, ...parts, name: how })]),
  runs: 48
}
