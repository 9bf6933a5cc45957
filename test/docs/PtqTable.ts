/**
 * What rounding methods make of two networks at few bits: the tables of docs/ptq.md. A method is a recipe, and one line below.
 */
import { Effect, Stream } from "effect"
import * as Network from "../../src/cli/Network.ts"
import * as Quantizing from "../../src/cli/Quantizing.ts"
import * as Schemes from "../../src/cli/Schemes.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as Dataset from "../../src/exchange/Dataset.ts"
import type * as Layer from "../../src/nn/Layer.ts"
import * as State from "../../src/nn/State.ts"
import * as Noise from "../../src/ptq/Noise.ts"
import * as Recipe from "../../src/ptq/Recipe.ts"
import * as Random from "../../src/tensor/Random.ts"
import type * as Stored from "../../src/tensor/Stored.ts"
import * as Classifier from "../../src/train/Classifier.ts"

// ---- methods ------------------------------------------------------------------------------------------------

type Steps = Recipe.Recipe["steps"]

const weights = (quantizer: string, bitWidth: number, options = {}): Recipe.Recipe["quantizers"] => [
  { match: "*weightQuant", quantizer, options: { bitWidth, ...options } }
]
const fixed = { scalingImplType: "parameterFromStats" }
const perTensor = (bits: number) => weights("Int8WeightPerTensorFloat", bits, fixed)
const perChannel = (bits: number) => weights("Int8WeightPerChannelFloat", bits, fixed)
const optimal = (bits: number) => weights("Int8WeightPerChannelFloatOptimal", bits)
const percentiles = (bits: number): Recipe.Recipe["quantizers"] => [
  ...perChannel(bits),
  { match: "relu*.actQuant", quantizer: "Uint8ActPerTensorFloat", options: { highPercentileQ: 99.9 } }
]
const largest = (bits: number): Recipe.Recipe["quantizers"] => [
  ...perChannel(bits),
  { match: "relu*.actQuant", quantizer: "Uint8ActPerTensorFloat", options: { scalingStatsOp: "max" } }
]

const calibrate: Steps[number] = { step: "calibrate" }
const corrected: Steps[number] = { step: "biasCorrection", options: { create: false } }
const equalized: Steps = [{ step: "equalize" }, calibrate]

export interface Method {
  readonly name: string
  readonly quantizers: (bits: number) => Recipe.Recipe["quantizers"]
  readonly steps: Steps
}

const method = (name: string, quantizers: Method["quantizers"], ...steps: Steps): Method => ({
  name,
  quantizers,
  steps
})

export const methods: ReadonlyArray<Method> = [
  method("nearest, per tensor", perTensor, calibrate),
  method("nearest, per tensor, equalization", perTensor, ...equalized),
  method("nearest, per tensor, equalization, bias correction", perTensor, ...equalized, corrected),
  method("nearest, per channel", perChannel, calibrate),
  method("nearest, per channel, bias correction", perChannel, calibrate, corrected),
  method("nearest, per channel, exact-optimal scale", optimal, calibrate),
  method("nearest, per channel, activations by their largest", largest, calibrate),
  method("nearest, per channel, activations by the percentile 99.9", percentiles, calibrate),
  method("GPTQ", perChannel, calibrate, { step: "gptq", options: { actOrder: true } }),
  method("GPTQ, equalization", perChannel, ...equalized, { step: "gptq", options: { actOrder: true } }),
  method("GPFQ", perChannel, calibrate, { step: "gpfq", options: { actOrder: true } }),
  method("Qronos", perChannel, calibrate, { step: "qronos", options: { actOrder: true } }),
  method("learned round (AdaRound)", perChannel, calibrate, { step: "adaRound", options: { iterations: 500 } }),
  method("learned round (AutoRound)", perChannel, calibrate, { step: "autoRound" })
]

// ---- networks -----------------------------------------------------------------------------------------------

export interface Plan {
  readonly train: Dataset.Dataset
  readonly test: Dataset.Dataset
  readonly epochs: number
  readonly seeds: ReadonlyArray<number>
  readonly bits: ReadonlyArray<number>
  readonly methods: ReadonlyArray<Method>
  readonly samples: number
  readonly said: (line: string) => Effect.Effect<void>
}

/** The state of a float network, trained from a seed. */
const trained = (plan: Plan, seed: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { model } = yield* Network.mlp(undefined, plan.train, seed)
      yield* Classifier.fit(model, Dataset.reader(plan.train), {
        epochs: plan.epochs,
        batchSize: 32,
        optimizer: Optimizer.adam(2e-3),
        random: Random.split(Random.make(seed), "order"),
        onStep: () => Effect.void
      })
      return yield* State.extract(model)
    })
  )

/** Factors of hidden channels: most near 1, some far from it. */
const heavyTailed = (seed: number, label: string, count: number): Float32Array =>
  Random.normal(Random.split(Random.make(seed), label), count, 0, 1).map((x) => Math.exp(1.5 * x))

/** A layer's outputs times a factor for each channel, and the weights of the next divided by it: rectifiers between them let it pass. */
const planted = (state: Stored.Tensors, seed: number): Stored.Tensors => {
  const floats = (name: string): Float32Array => {
    const { data } = state[name] as Stored.Stored
    return new Float32Array(data.slice().buffer)
  }
  const put = (name: string, values: Float32Array): readonly [string, Stored.Stored] => [
    name,
    { ...(state[name] as Stored.Stored), data: new Uint8Array(values.buffer) }
  ]
  const factors = [heavyTailed(seed, "fc1", 128), heavyTailed(seed, "fc2", 64)]
  const made = ["fc1", "fc2", "fc3"].flatMap((layer, i) => {
    const [before, after] = [factors[i - 1], factors[i]]
    const outputs = (state[`${layer}.weight`] as Stored.Stored).shape[1] as number
    const weight = floats(`${layer}.weight`).map(
      (w, at) => (w * (after?.[at % outputs] ?? 1)) / (before?.[Math.floor(at / outputs)] ?? 1)
    )
    const bias = floats(`${layer}.bias`).map((b, at) => b * (after?.[at] ?? 1))
    return [put(`${layer}.weight`, weight), put(`${layer}.bias`, bias)]
  })
  return { ...state, ...Object.fromEntries(made) }
}

// ---- measuring ----------------------------------------------------------------------------------------------

interface Result {
  readonly accuracy: number
  readonly decibels: number
}

const loaded = (plan: Plan, state: Stored.Tensors) =>
  Effect.gen(function* () {
    const { model } = yield* Network.mlp(Schemes.find("int8"), plan.train, 0)
    yield* State.load(model, state, "float")
    return model
  })

const measured = (plan: Plan, model: Layer.Layer, float: Layer.Layer, one: Method, bits: number, seed: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const recipe: Recipe.Recipe = {
        name: one.name,
        calibration: { samples: plan.samples, batchSize: 64, seed },
        quantizers: one.quantizers(bits),
        steps: one.steps
      }
      const source = Classifier.source(Dataset.reader(plan.train))
      const next = yield* Recipe.run(recipe, Quantizing.batchesOf(recipe, source))(model)
      const accuracy = yield* Classifier.accuracy(next, Dataset.reader(plan.test))
      const held = Quantizing.batchesOf(
        { ...recipe, calibration: { samples: 512, batchSize: 256, seed: 0 } },
        Classifier.source(Dataset.reader(plan.test))
      )
      const noise = yield* Noise.between(float, next, Stream.take(held, 2))
      return { accuracy, decibels: Noise.decibels(noise) } satisfies Result
    })
  )

// ---- tables -------------------------------------------------------------------------------------------------

const mean = (values: ReadonlyArray<number>): number => values.reduce((a, b) => a + b, 0) / values.length

/** The mean over the seeds, and how far the farthest is from it. */
const shown = (values: ReadonlyArray<number>, digits: number): string => {
  const middle = mean(values)
  const reach = Math.max(...values.map((value) => Math.abs(value - middle)))
  return `${middle.toFixed(digits)}${values.length > 1 ? ` ± ${reach.toFixed(digits)}` : ""}`
}

const row = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const tableOf = (plan: Plan, rows: ReadonlyArray<readonly [string, ReadonlyArray<ReadonlyArray<Result>>]>): string => {
  const headers = plan.bits.flatMap((bits) => [`${bits} bits: accuracy (%)`, `${bits} bits: SNR (dB)`])
  const lines = rows.map(([name, cells]) =>
    row([
      name,
      ...cells.flatMap((results) => [
        shown(
          results.map(({ accuracy }) => accuracy),
          2
        ),
        shown(
          results.map(({ decibels }) => decibels),
          1
        )
      ])
    ])
  )
  return [row(["method", ...headers]), row(["---", ...headers.map(() => "---:")]), ...lines].join("\n")
}

/** What was measured of one kind of network. */
interface Kind {
  readonly title: string
  readonly of: (state: Stored.Tensors, seed: number) => Stored.Tensors
  readonly floats: Array<number>
  readonly results: Map<string, Array<Array<Result>>>
}

const kinds = (): ReadonlyArray<Kind> =>
  (
    [
      ["As it was trained", (state: Stored.Tensors) => state],
      ["With planted channels", planted]
    ] as const
  ).map(([title, of]) => ({ title, of, floats: [], results: new Map() }))

const textOf = (plan: Plan, all: ReadonlyArray<Kind>): string =>
  all
    .map(({ title, floats, results }) => {
      const float = `In floats: ${shown(floats, 2)} %, ${floats.length === 1 ? "one seed" : `${floats.length} seeds`}.`
      return `### ${title}\n\n${float}\n\n${tableOf(plan, [...results])}`
    })
    .join("\n\n")

const measure = (plan: Plan, kind: Kind, trained: Stored.Tensors, seed: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const state = kind.of(trained, seed)
      const model = yield* loaded(plan, state)
      const { model: float } = yield* Network.mlp(undefined, plan.train, 0)
      yield* State.load(float, state, "float")
      kind.floats.push(yield* Classifier.accuracy(float, Dataset.reader(plan.test)))
      for (const one of plan.methods) {
        const cells = kind.results.get(one.name) ?? plan.bits.map((): Array<Result> => [])
        kind.results.set(one.name, cells)
        for (const [i, bits] of plan.bits.entries())
          cells[i]?.push(yield* measured(plan, model, float, one, bits, seed))
        yield* plan.said(`${kind.title}, seed ${seed}: ${one.name}`)
      }
    })
  )

/** Both tables, with the accuracies of the float networks; `reached` is told them after each seed. */
export const document = <E>(plan: Plan, reached: (tables: string) => Effect.Effect<void, E>) =>
  Effect.gen(function* () {
    const all = kinds()
    for (const seed of plan.seeds) {
      const state = yield* trained(plan, seed)
      yield* plan.said(`trained from seed ${seed}`)
      for (const kind of all) yield* measure(plan, kind, state, seed)
      yield* reached(textOf(plan, all))
    }
  })

/** The document with these tables in it. */
export const within = (text: string, tables: string): string => {
  const [begin, end] = ["<!-- tables: npm run ptq-table -->", "<!-- end of tables -->"]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error("docs/ptq.md has no place for the tables")
  return `${text.slice(0, from + begin.length)}\n\n${tables}\n\n${text.slice(to)}`
}
