/**
 * Steps after training that keep their laws, and for each law one that does not.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import type * as Law from "../../laws/Law.ts"
import * as TransformLaws from "../../laws/TransformLaws.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Elementwise from "../../src/nn/Elementwise.ts"
import * as Fork from "../../src/nn/Fork.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as LayerNorm from "../../src/nn/LayerNorm.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as Cell from "../../src/proxy/Cell.ts"
import * as AbsorbBias from "../../src/ptq/AbsorbBias.ts"
import * as ActivationEqualize from "../../src/ptq/ActivationEqualize.ts"
import * as BiasCorrection from "../../src/ptq/BiasCorrection.ts"
import * as Calibrate from "../../src/ptq/Calibrate.ts"
import * as Equalize from "../../src/ptq/Equalize.ts"
import * as Gptq from "../../src/ptq/Gptq.ts"
import * as LowRank from "../../src/ptq/LowRank.ts"
import * as MergeBatchNorm from "../../src/ptq/MergeBatchNorm.ts"
import * as NormCorrection from "../../src/ptq/NormCorrection.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as Rotate from "../../src/ptq/Rotate.ts"
import * as RoundLearning from "../../src/ptq/RoundLearning.ts"
import * as SplitChannels from "../../src/ptq/SplitChannels.ts"
import * as LeasedRef from "../../src/tensor/LeasedRef.ts"
import * as Random from "../../src/tensor/Random.ts"
import * as Tree from "../../src/tensor/Tree.ts"
import type { Pack } from "./Pack.ts"

type Transform = TransformLaws.Transform
type Given = TransformLaws.Given

// ---- networks -----------------------------------------------------------------------------------------------

const float = { weightQuant: null } as const
const plain = { inputQuant: null, outputQuant: null } as const
const given = (layers: object, input: ReadonlyArray<number>): Given => ({
  model: Model.sequential(layers as never) as TransformLaws.Model,
  input
})

/** Other parameters for each layer: channels of different sizes, and biases that are not 0. */
const drawn = ({ model, input }: Given, seed: number): Given => {
  const random = Random.make(seed + 1)
  for (const [name, cell] of model.cells) {
    const { parameters, memory, quantizer } = LeasedRef.current(cell)
    // a normalization of a stream has no scale, or nothing can be rotated
    if (quantizer !== undefined || name === "norm") continue
    const next = Tree.map(parameters, (leaf, at) => {
      const last = leaf.shape.at(-1) ?? 1
      const values = Random.normal(Random.split(random, `${name} ${at}`), leaf.size, 0, 0.5)
      const norm = leaf.rank === 1 && at.endsWith("weight")
      return tf.tensor(
        values.map((v, i) => (norm ? Math.abs(v) + 0.2 : v * (at.endsWith("weight") ? 2 ** ((i % last) - 1) : 1))),
        leaf.shape
      )
    })
    Cell.commit(cell, { parameters: next, memory })
  }
  return { model, input }
}

const mlp = (seed: number) =>
  Effect.gen(function* () {
    const fc1 = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 6, seed, ...float })
    const fc2 = yield* Linear.quantLinear({ inFeatures: 6, outFeatures: 3, seed: seed + 1, ...float })
    return drawn(given({ fc1, relu: Model.relu, fc2 }, [5, 4]), seed)
  })

const cnn = (seed: number) =>
  Effect.gen(function* () {
    const convolution = { inChannels: 2, outChannels: 3, kernelSize: [2, 2] as const, seed, ...float }
    const conv = yield* Convolution.quantConv2d(convolution)
    const bn = yield* Normalization.batchNorm({ channels: 3 })
    const fc = yield* Linear.quantLinear({ inFeatures: 12, outFeatures: 2, seed: seed + 1, ...float })
    const made = drawn(given({ conv, bn, relu: Model.relu, flatten: Model.flatten, fc }, [4, 3, 3, 2]), seed)
    // the normalization has seen a batch
    const x = tf.tensor(Random.normal(Random.make(seed), 72, 0, 1), [4, 3, 3, 2])
    tf.dispose([x, ...Layer.tensorsIn(yield* Layer.forward(made.model, x, Layer.training))])
    return made
  })

/** A residual stream. */
const stream = (seed: number) =>
  Effect.gen(function* () {
    const linear = (inFeatures: number, outFeatures: number) =>
      Linear.quantLinear({ inFeatures, outFeatures, seed, ...float })
    const layers = {
      embed: yield* linear(3, 8),
      norm: yield* LayerNorm.rmsNorm({ channels: 8 }),
      up: yield* linear(8, 6),
      relu: Model.relu,
      down: yield* linear(6, 8),
      add: yield* Elementwise.quantEltwiseAdd(plain),
      head: yield* linear(8, 2)
    }
    const model = Model.functional(layers, (layer, x: Layer.Value) => {
      const a = layer.embed(x)
      return layer.head(layer.add([layer.down(layer.relu(layer.up(layer.norm(a)))), a]))
    })
    return drawn({ model: model as TransformLaws.Model, input: [5, 3] }, seed)
  })

const quantized = (seed: number) =>
  Effect.gen(function* () {
    const weight = { bitWidth: 4, scalingImplType: "parameterFromStats" } as const
    const input = yield* Activation.quantIdentity()
    const fc1 = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 5, seed, weight })
    const relu = yield* Activation.quantReLU()
    const fc2 = yield* Linear.quantLinear({ inFeatures: 5, outFeatures: 2, seed: seed + 1, weight })
    return given({ input, fc1, relu, fc2 }, [6, 4])
  })

// ---- steps --------------------------------------------------------------------------------------------------

interface How {
  readonly input: ReadonlyArray<number>
  readonly batches: Ptq.Batches
  readonly report: (event: Ptq.Event) => Effect.Effect<void>
}

const of = (
  name: string,
  make: (seed: number) => Effect.Effect<Given, unknown, Scope.Scope>,
  by: (how: How) => Ptq.Step<unknown>,
  claims: Pick<Transform, "preserves" | "restructures"> = {}
): Transform => ({
  name,
  make,
  step: ({ model, input }, moment) => {
    const count = input.reduce((a, b) => a * b, 1)
    const batch = (seed: number) => () => tf.tensor(Random.normal(Random.make(seed), count, 0, 1), [...input])
    return by({ input, batches: Stream.make(batch(1), batch(2)), report: () => moment })(model)
  },
  ...claims
})

const near = { preserves: 2 ** -16 }
const learning = { iterations: 4, batchSize: 4 }
export const good: ReadonlyArray<Transform> = [
  of("Equalize.equalize", mlp, (how) => Equalize.equalize(how), near),
  of("ActivationEqualize.equalize", mlp, (how) => ActivationEqualize.equalize(how.batches, how), near),
  of("MergeBatchNorm.merge", cnn, (how) => MergeBatchNorm.merge(how), {
    ...near,
    restructures: "batch normalizations are gone"
  }),
  of("Rotate.rotate", stream, (how) => Rotate.rotate(how), near),
  of("SplitChannels.splitChannels", mlp, (how) => SplitChannels.splitChannels({ ...how, ratio: 0.3 }), near),
  of("AbsorbBias.absorb", mlp, (how) => AbsorbBias.absorb(how.batches, { ...how, deviations: 0 })),
  of("NormCorrection.correct", cnn, (how) => NormCorrection.correct(how.batches, how)),
  of("Calibrate.calibrate", quantized, (how) => Calibrate.calibrate(how.batches, how), { preserves: 0 }),
  of("Gptq.gptq", quantized, (how) => Gptq.gptq(how.batches, how)),
  of("BiasCorrection.correct", quantized, (how) => BiasCorrection.correct(how.batches, how)),
  of("RoundLearning.adaRound", quantized, (how) => RoundLearning.adaRound(how.batches, { ...how, ...learning })),
  of("LowRank.correct", quantized, (how) => LowRank.correct({ ...how, rank: 1 }), {
    restructures: "layers get branches"
  })
]

// ---- what breaks them ---------------------------------------------------------------------------------------

/** Other parameters in a model's first cell. */
const written = ({ cells }: Layer.Stateful): void => {
  const cell = (cells[0] as (typeof cells)[number])[1]
  const { parameters, memory } = LeasedRef.current(cell)
  Cell.commit(cell, { parameters: Tree.map(parameters, (leaf) => tf.add(leaf, 1)), memory })
}
const forked = (model: TransformLaws.Model) => Fork.make(model, () => undefined)
const scaled = (model: TransformLaws.Model, by: number) =>
  Effect.tap(forked(model), ({ cells }) =>
    Effect.sync(() => {
      for (const [, cell] of cells) {
        const { parameters, memory } = LeasedRef.current(cell)
        Cell.commit(cell, { parameters: Tree.map(parameters, (leaf) => tf.mul(leaf, by)), memory })
      }
    })
  )

const seeds = { next: 1 }
const broken: ReadonlyArray<readonly [Law.Law<Transform>, string, Transform["step"]]> = [
  [
    TransformLaws.kept,
    "writes into what it is given",
    ({ model }) => {
      written(model)
      return forked(model)
    }
  ],
  [TransformLaws.apart, "answers what it is given", ({ model }) => Effect.succeed(model)],
  [
    TransformLaws.traceless,
    "keeps what it has computed",
    ({ model }) => {
      tf.zeros([3])
      return forked(model)
    }
  ],
  [
    TransformLaws.unharmed,
    "what it has acquired is released only if it ends well",
    ({ model }, moment) =>
      Effect.gen(function* () {
        const scratch = tf.zeros([3])
        yield* moment
        scratch.dispose()
        return yield* forked(model)
      })
  ],
  [
    TransformLaws.interrupted,
    "writes, waits, and takes it back",
    ({ model }, moment) =>
      Effect.gen(function* () {
        const cell = (model.cells[0] as (typeof model.cells)[number])[1]
        const { parameters, memory } = LeasedRef.current(cell)
        const before = Tree.map(parameters, (leaf) => leaf.clone())
        written(model)
        yield* moment
        Cell.commit(cell, { parameters: before, memory })
        return yield* forked(model)
      })
  ],
  [TransformLaws.repeatable, "draws from one sequence", ({ model }) => scaled(model, seeds.next++)],
  [
    TransformLaws.named,
    "calls a layer something else",
    ({ model }) => Effect.map(forked(model), (one) => Model.sequential({ body: one as never }) as TransformLaws.Model)
  ],
  [TransformLaws.preserved, "a thousandth too large", ({ model }) => scaled(model, 1.001)]
]

export const pack: Pack<Transform> = {
  name: "TransformLaws",
  laws: TransformLaws.all,
  good: good.map((one) => [one.name, Effect.succeed(one)] as const),
  broken: broken.map(([law, how, step]) => [law, how, Effect.succeed({ name: how, make: mlp, step, ...near })]),
  runs: 64
}
