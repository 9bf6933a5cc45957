/**
 * The main job: train a float classifier, quantize it in several ways, measure each before and after training on.
 *
 * Room: cli (level 6). Imports: tfjs, effect, `nn`, `train`, `core`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Dataset from "../exchange/Dataset.ts"
import * as Layer from "../nn/Layer.ts"
import * as State from "../nn/State.ts"
import * as Weighted from "../nn/Weighted.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Random from "../tensor/Random.ts"
import * as Classifier from "../train/Classifier.ts"
import * as Optimizer from "../train/Optimizer.ts"
import type { Histogram, Row, Staircase } from "./Charts.ts"
import * as Network from "./Network.ts"
import * as Progress from "./Progress.ts"
import { calibrationSteps, type Scheme } from "./Schemes.ts"

export interface Plan {
  readonly train: Dataset.Dataset
  readonly test: Dataset.Dataset
  readonly epochs: number
  readonly seed: number
  readonly schemes: ReadonlyArray<Scheme>
}

export interface Result {
  readonly rows: ReadonlyArray<Row>
  readonly histograms: ReadonlyArray<Histogram>
  readonly staircases: ReadonlyArray<Staircase>
  /** the trained state by network: values and shapes, no tensors */
  readonly states: Readonly<Record<string, Readonly<Record<string, tf.Tensor>>>>
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
const weightBytes = (network: Network.Network, bits: number): number =>
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

const histograms = (scheme: Scheme, network: Network.Network) =>
  Effect.forEach(Object.entries(network.weighted), ([name, layer]) =>
    Effect.map(Weighted.quantWeight(layer), (quantized): Histogram => {
      const before = (LeasedRef.current(layer.own).parameters.weight as tf.Tensor).dataSync() as Float32Array
      const after = quantized.value.dataSync()
      tf.dispose([...QuantTensor.tensorsOf(quantized)])
      const reach = before.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-6)
      const edges = Array.from({ length: 42 }, (_, i) => -reach + (2 * reach * i) / 41)
      return {
        quantizer: scheme.name,
        layer: name,
        edges,
        before: counted(before, edges),
        after: counted(after, edges)
      }
    })
  )

/** The weight quantizer of the first layer as a function of one number, with its scale held. */
const staircase = (scheme: Scheme, network: Network.Network) =>
  Effect.sync((): Staircase => {
    const proxy = network.weighted.conv1?.weightQuant
    const layer = network.weighted.conv1
    if (proxy === undefined || layer === undefined) return { quantizer: scheme.name, input: [], output: [] }
    const weight = LeasedRef.current(layer.own).parameters.weight as tf.Tensor
    return tf.tidy(() => {
      const reach = tf.max(tf.abs(weight)).dataSync()[0] as number
      const input = Array.from({ length: 801 }, (_, i) => reach * ((i - 400) / 400))
      const [y] = Layer.quantize(Layer.read(layer), proxy, tf.tensor1d(input), Layer.evaluation)
      return { quantizer: scheme.name, input, output: [...QuantTensor.dequantized(y).dataSync()] }
    })
  })

/** Tensors of the caller's scope with the parameters of a network. */
const snapshot = (model: Layer.Layer) =>
  Effect.acquireRelease(
    Effect.map(State.parameters(model), (state) =>
      Object.fromEntries(Object.entries(state).map(([name, tensor]) => [name, tensor.clone()]))
    ),
    (state) => Effect.sync(() => tf.dispose(Object.values(state)))
  )

/** Runs the whole comparison; the tensors of the answer's states live in the surrounding Scope. */
export const run = Effect.fn("Experiment.run")(function* (plan: Plan) {
  const test = Dataset.reader(plan.test)
  const trainFloat = Effect.scoped(
    Effect.gen(function* () {
      const network = yield* Network.make(undefined, plan.train.height, plan.seed)
      const msPerStep = yield* learn("float", network.model, plan, plan.epochs, 2e-3)
      const accuracyBefore = yield* Classifier.accuracy(network.model, test)
      const state = yield* State.parameters(network.model)
      const kept = Object.fromEntries(Object.entries(state).map(([name, tensor]) => [name, tensor.clone()]))
      const row: Row = {
        name: "float",
        accuracyBefore,
        accuracyAfter: undefined,
        weightBytes: weightBytes(network, 32),
        msPerStep
      }
      return { row, kept }
    })
  )
  const float = yield* Effect.acquireRelease(trainFloat, ({ kept }) =>
    Effect.sync(() => tf.dispose(Object.values(kept)))
  )
  const quantized = yield* Effect.forEach(plan.schemes, (scheme) =>
    Effect.gen(function* () {
      const network = yield* Network.make(scheme, plan.train.height, plan.seed)
      yield* State.load(network.model, float.kept, "float")
      yield* Classifier.calibrate(network.model, Dataset.reader(plan.train), calibrationSteps + 1, batchSize)
      const accuracyBefore = yield* Classifier.accuracy(network.model, test)
      const tuning = Math.max(1, Math.ceil(plan.epochs / 2))
      const msPerStep = yield* learn(scheme.name, network.model, plan, tuning, 5e-4)
      const accuracyAfter = yield* Classifier.accuracy(network.model, test)
      const row: Row = {
        name: scheme.name,
        accuracyBefore,
        accuracyAfter,
        weightBytes: weightBytes(network, scheme.weightBits),
        msPerStep
      }
      return {
        row,
        histograms: yield* histograms(scheme, network),
        staircase: yield* staircase(scheme, network),
        state: yield* snapshot(network.model)
      }
    })
  )
  return {
    rows: [float.row, ...quantized.map(({ row }) => row)],
    histograms: quantized.flatMap((one) => one.histograms),
    staircases: quantized.map((one) => one.staircase),
    states: Object.fromEntries([
      ["float", float.kept],
      ...quantized.map(({ row, state }) => [row.name, state] as const)
    ])
  } satisfies Result
})
