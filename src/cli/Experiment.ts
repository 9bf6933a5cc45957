/**
 * The main job: train float classifiers, quantize them in several ways, measure each before and after training on,
 * export it and verify what was exported.
 *
 * Room: cli (level 6). Imports: tfjs, effect, `core`, `exchange`, `nn`, `tensor`, `train`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as Optimizer from "../core/Optimizer.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Dataset from "../exchange/Dataset.ts"
import * as Onnx from "../exchange/Onnx.ts"
import * as Layer from "../nn/Layer.ts"
import * as State from "../nn/State.ts"
import * as Weighted from "../nn/Weighted.ts"
import * as PtqRecipe from "../ptq/Recipe.ts"
import * as Recipes from "../ptq/Recipes.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Random from "../tensor/Random.ts"
import type * as Stored from "../tensor/Stored.ts"
import * as Classifier from "../train/Classifier.ts"
import type { Histogram, Row, Staircase } from "./Charts.ts"
import { type Network, type Shape, shapes } from "./Network.ts"
import type * as Networks from "./Networks.ts"
import * as Progress from "./Progress.ts"
import * as Quantizing from "./Quantizing.ts"
import * as Schemes from "./Schemes.ts"
import { calibrationSteps, type Scheme } from "./Schemes.ts"
import * as Shipped from "./Shipped.ts"

export interface Plan {
  readonly train: Dataset.Dataset
  readonly test: Dataset.Dataset
  readonly epochs: number
  readonly seed: number
  /** those that are quantized, or the float ones alone; what they begin as is trained in any case */
  readonly networks: ReadonlyArray<Networks.Network>
}

export interface Result {
  readonly rows: ReadonlyArray<Row>
  readonly histograms: ReadonlyArray<Histogram>
  readonly staircases: ReadonlyArray<Staircase>
  /** the trained state by network */
  readonly states: Readonly<Record<string, Stored.Tensors>>
  /** what quantized networks became, exported */
  readonly shipped: ReadonlyArray<Shipped.Shipped>
  /** the float networks as ONNX files, by their names */
  readonly floats: Readonly<Record<string, Uint8Array>>
}

const batchSize = 32

const learn = (label: string, model: Layer.Layer, plan: Plan, epochs: number, rate: number) =>
  Progress.track(label, epochs * Math.ceil(plan.train.count / batchSize), ({ update }) =>
    Classifier.fit(model, Dataset.reader(plan.train), {
      epochs,
      batchSize,
      optimizer: Optimizer.adam(rate),
      random: Random.split(Random.make(plan.seed), label),
      onStep: (done, _, loss) => update(done, `loss ${loss.toFixed(3)}`)
    })
  )

/** Bytes of all weights at `bits` each, and of the biases as float32. */
const weightBytes = (network: Network, bits: number): number =>
  Object.values(network.weighted).reduce((sum, layer) => {
    const { weight, bias } = LeasedRef.current(layer.own).parameters as Readonly<Record<string, tf.Tensor>>
    return sum + Math.ceil(((weight?.size ?? 0) * bits) / 8) + 4 * (bias?.size ?? 0)
  }, 0)

const counted = (values: ArrayLike<number>, edges: ReadonlyArray<number>): ReadonlyArray<number> => {
  const [low, high] = [edges[0] as number, edges.at(-1) as number]
  const bins = edges.length - 1
  const counts = new Array<number>(bins).fill(0)
  for (let i = 0; i < values.length; i++) {
    const bin = Math.min(bins - 1, Math.max(0, Math.floor(((values[i] as number) - low) / ((high - low) / bins))))
    counts[bin] = (counts[bin] as number) + 1
  }
  return counts
}

const histograms = (quantizer: string, network: Network) =>
  Effect.forEach(Object.entries(network.weighted), ([name, layer]) =>
    Effect.map(Weighted.quantWeight(layer), (quantized): Histogram => {
      const before = (LeasedRef.current(layer.own).parameters.weight as tf.Tensor).dataSync() as Float32Array
      const after = quantized.value.dataSync()
      tf.dispose([...QuantTensor.tensorsOf(quantized)])
      const reach = before.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-6)
      const edges = Array.from({ length: 42 }, (_, i) => -reach + (2 * reach * i) / 41)
      return {
        quantizer,
        layer: name,
        edges,
        before: counted(before, edges),
        after: counted(after, edges)
      }
    })
  )

/** The weight quantizer of the first layer as a function of one number, with its scale held. */
const staircase = (quantizer: string, network: Network) =>
  Effect.sync((): Staircase => {
    const layer = Object.values(network.weighted)[0]
    const proxy = layer?.weightQuant
    if (proxy === undefined || layer === undefined) return { quantizer, input: [], output: [] }
    const weight = LeasedRef.current(layer.own).parameters.weight as tf.Tensor
    return tf.tidy(() => {
      const reach = tf.max(tf.abs(weight)).dataSync()[0] as number
      const input = Array.from({ length: 801 }, (_, i) => reach * ((i - 400) / 400))
      const [y] = Layer.quantize(Layer.read(layer), proxy, tf.tensor1d(input), Layer.evaluation)
      return { quantizer, input, output: [...QuantTensor.dequantized(y).dataSync()] }
    })
  })

/** The float network of a shape: how good it became, and its state. */
const float = (shape: Shape, plan: Plan) =>
  Effect.scoped(
    Effect.gen(function* () {
      const name = `${shape}-float`
      const network = yield* shapes[shape](undefined, plan.train, plan.seed)
      const msPerStep = yield* learn(name, network.model, plan, plan.epochs, 2e-3)
      const accuracyBefore = yield* Classifier.accuracy(network.model, Dataset.reader(plan.test))
      const row: Row = {
        name,
        accuracyBefore,
        accuracyAfter: undefined,
        weightBytes: weightBytes(network, 32),
        msPerStep
      }
      const onnx = yield* Onnx.exportFloat(network.model, { inputShape: Shipped.inputShape(plan.train) })
      return { row, state: yield* State.extract(network.model), onnx, shipped: [], histograms: [], staircases: [] }
    })
  )

/** How many images a file is compared on. */
const compared = 500

/** Exports a trained network and says how far its file agrees. */
const ship = (entry: Networks.Network, model: Layer.Layer, plan: Plan) =>
  Progress.track(`${entry.name} exported`, 1, ({ update }) =>
    Effect.tap(Shipped.ship(entry, model, plan.test, compared), ({ certificates }) =>
      update(1, certificates.every(({ certified }) => certified) ? "certified" : "NOT certified")
    )
  )

/** A quantized network that begins as a trained float one: how good it is at once, and after training on. */
const quantized = (entry: Networks.Network, shape: Shape, scheme: Scheme, state: Stored.Tensors, plan: Plan) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { name } = entry
      const test = Dataset.reader(plan.test)
      const network = yield* shapes[shape](scheme, plan.train, plan.seed)
      yield* State.load(network.model, state, "float")
      yield* Classifier.calibrate(network.model, Dataset.reader(plan.train), calibrationSteps + 1, batchSize)
      const accuracyBefore = yield* Classifier.accuracy(network.model, test)
      const tuning = Math.max(1, Math.ceil(plan.epochs / 2))
      const msPerStep = yield* learn(name, network.model, plan, tuning, 5e-4)
      const accuracyAfter = yield* Classifier.accuracy(network.model, test)
      const bytes = weightBytes(network, scheme.widths.weightBits)
      const row: Row = { name, accuracyBefore, accuracyAfter, weightBytes: bytes, msPerStep }
      return {
        row,
        state: yield* State.extract(network.model),
        onnx: undefined,
        shipped: [yield* ship(entry, network.model, plan)],
        histograms: yield* histograms(name, network),
        staircases: [yield* staircase(name, network)]
      }
    })
  )

/** The recipes beside the training on with quantizers of these schemes. */
const recipes: Readonly<Record<string, string>> = { int8: "int8", int4: "int4-gptq", binary: "binary" }

/** A float network quantized without training, for a scheme that others are trained on with. */
const withoutTraining = (entry: Networks.Network, scheme: Scheme, state: Stored.Tensors, plan: Plan) =>
  Effect.scoped(
    Effect.gen(function* () {
      const recipe = yield* Recipes.find(recipes[scheme.name] ?? scheme.name)
      const { training } = entry
      const shape = training.by === "tuning" ? training.shape : "mlp"
      const network = yield* shapes[shape](Schemes.find("int8"), plan.train, plan.seed)
      yield* State.load(network.model, state, "float")
      const batches = Quantizing.batchesOf(recipe, entry.source(plan.train))
      const model = yield* Progress.track(`${shape} ${recipe.name}`, 1, ({ update }) =>
        Effect.tap(PtqRecipe.run(recipe, batches)(network.model), () => update(1, "without training"))
      )
      const row: Row = {
        name: `${shape}, ${recipe.name} without training`,
        accuracyBefore: yield* Classifier.accuracy(model, Dataset.reader(plan.test)),
        accuracyAfter: undefined,
        weightBytes: weightBytes(network, scheme.widths.weightBits),
        msPerStep: undefined
      }
      return { row, state: undefined, onnx: undefined, shipped: [], histograms: [], staircases: [] }
    })
  )

/** The networks of one shape, the float one first. */
const family = (shape: Shape, plan: Plan) =>
  Effect.gen(function* () {
    const wanted = plan.networks.filter(({ training }) => training.by === "tuning" && training.shape === shape)
    if (wanted.length === 0) return []
    const first = yield* float(shape, plan)
    const tuned = wanted.flatMap((entry) =>
      entry.training.by === "tuning" && entry.training.scheme !== undefined
        ? [{ entry, scheme: entry.training.scheme }]
        : []
    )
    const others = yield* Effect.forEach(tuned, ({ entry, scheme }) =>
      Effect.all([
        quantized(entry, shape, scheme, first.state, plan),
        withoutTraining(entry, scheme, first.state, plan)
      ])
    )
    return [first, ...others.flat()]
  })

/** Runs the whole comparison; the tensors that it makes are gone when it is done. */
export const run = Effect.fn("Experiment.run")(function* (plan: Plan) {
  const all = (yield* Effect.forEach(["mlp", "cnn"] as const, (shape) => family(shape, plan))).flat()
  return {
    rows: all.map(({ row }) => row),
    histograms: all.flatMap((one) => one.histograms),
    staircases: all.flatMap((one) => one.staircases),
    states: Object.fromEntries(
      all.flatMap(({ row, state }) => (state === undefined ? [] : [[row.name, state] as const]))
    ),
    shipped: all.flatMap((one) => one.shipped),
    floats: Object.fromEntries(all.flatMap(({ row, onnx }) => (onnx === undefined ? [] : [[row.name, onnx] as const])))
  } satisfies Result
})
