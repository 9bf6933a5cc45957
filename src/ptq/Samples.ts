/**
 * What a part of a model gets in the quantized network, and what it answers to the float one's: kept while its rounding is learned.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `nn`, `tensor`, `./Ptq.ts`, `./RoundLearningMath.ts`. Laws:
 * test/ptq/RoundLearning.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Layer from "../nn/Layer.ts"
import * as Random from "../tensor/Random.ts"
import { type NoCalibrationData, NonFiniteActivations } from "../tensor/StepErrors.ts"
import * as Ptq from "./Ptq.ts"
import * as RoundLearningMath from "./RoundLearningMath.ts"

/** Inputs and outputs, sample by sample along the first axis. */
export interface Pair {
  readonly input: tf.Tensor
  readonly target: tf.Tensor
}

/** One pair for each shape that samples have. */
export type Samples = ReadonlyArray<Pair>

interface Seen {
  readonly inputs: Array<Layer.Values>
  readonly outputs: Array<Layer.Values>
}

const isOne = (value: Layer.Values): value is Layer.Value =>
  value instanceof tf.Tensor || QuantTensor.isQuantTensor(value)

/** The same model, which notes what goes into its part of this path, and what comes out. */
const noting = (model: Ptq.Model, path: string, seen: Seen): Ptq.Model =>
  Ptq.replacing(model as Layer.Stateful, (layer, name) => {
    if (name !== path) return undefined
    const { apply } = layer as Layer.Layer
    const noted: Layer.Layer["apply"] = (states, x, mode) => {
      const [y, after] = apply(states, x, mode)
      seen.inputs.push(x)
      seen.outputs.push(y)
      return [y, after]
    }
    return { ...layer, apply: noted } as Layer.Layer
  }) as Ptq.Model

const ran = (model: Ptq.Model, path: string, x: tf.Tensor, mode: Layer.Mode): Seen => {
  const seen: Seen = { inputs: [], outputs: [] }
  noting(model, path, seen).apply(Layer.prepare(Layer.read(model), Layer.evaluation), x, mode)
  return seen
}

const innerShape = ({ shape }: tf.Tensor): string => shape.slice(1).join()

/** The pairs of one batch; within a `tf.tidy`. */
const pairsOf = (
  models: { readonly quantized: Ptq.Model; readonly float: Ptq.Model },
  path: string,
  batch: Ptq.Batch,
  mode: Layer.Mode
): ReadonlyArray<Pair> => {
  const x = Ptq.inputOf(batch)
  const { inputs } = ran(models.quantized, path, x, mode)
  const { outputs } = ran(models.float, path, x, Layer.without(Layer.evaluation))
  return inputs.flatMap((input, call) => {
    const target = outputs[call]
    return target !== undefined && isOne(input) && isOne(target)
      ? [{ input: QuantTensor.dequantized(input), target: QuantTensor.dequantized(target) }]
      : []
  })
}

const isWhole = ({ input, target }: Pair): boolean =>
  [input, target].every((x) => tf.tidy(() => tf.all(tf.isFinite(x)).dataSync()[0]) === 1)

/** All samples of one shape one after the other. */
const together = (pairs: ReadonlyArray<Pair>): Samples => {
  const shapes = new Map<string, Array<Pair>>()
  for (const pair of pairs) {
    const shape = `${innerShape(pair.input)} ${innerShape(pair.target)}`
    shapes.set(shape, [...(shapes.get(shape) ?? []), pair])
  }
  const all = (of: ReadonlyArray<Pair>, which: keyof Pair): tf.Tensor => tf.concat(of.map((pair) => pair[which]))
  return [...shapes.values()].map((of) => ({ input: all(of, "input"), target: all(of, "target") }))
}

/** One pass over the batches; the samples live in the surrounding Scope. */
export const collect = <E, R>(
  models: { readonly quantized: Ptq.Model; readonly float: Ptq.Model },
  path: string,
  batches: Ptq.Batches<E, R>,
  about: { readonly step: string; readonly pass: number; readonly mode: Layer.Mode } & Ptq.Reporting
): Effect.Effect<
  { readonly samples: Samples; readonly batches: number },
  NoCalibrationData | NonFiniteActivations | Layer.InputError | E,
  R | Scope.Scope
> =>
  Effect.gen(function* () {
    const held: { pairs: Samples } = { pairs: [] }
    const keep = (pairs: Samples): Samples => {
      for (const { input, target } of pairs) for (const tensor of [input, target]) tf.keep(tensor)
      return pairs
    }
    const release = (pairs: Samples): void => {
      for (const { input, target } of pairs) tf.dispose([input, target])
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => release(held.pairs)))
    const own = (pair: Pair): Pair => ({ input: pair.input.clone(), target: pair.target.clone() })
    const add = (batch: Ptq.Batch) =>
      Layer.attempt(() => {
        tf.tidy(() => {
          held.pairs = [...held.pairs, ...keep(pairsOf(models, path, batch, about.mode).map(own))]
        })
      })
    const count = yield* Ptq.passed(batches, add, about)
    const before = held.pairs
    if (!before.every(isWhole)) return yield* new NonFiniteActivations({ step: about.step, layer: path })
    yield* Effect.sync(() => {
      tf.tidy(() => {
        held.pairs = keep(together(before))
      })
      release(before)
    })
    return { samples: held.pairs, batches: count }
  })

/** The samples of an iteration, drawn from those of one shape; within a `tf.tidy`. */
export const drawn = (samples: Samples, random: Random.Random, size: number): Pair => {
  const counts = samples.map(({ input }) => input.shape[0] as number)
  const all = counts.reduce((a, b) => a + b, 0)
  const at = samples.length === 1 ? 0 : (Random.integers(Random.split(random, "shape"), 1, 0, all)[0] as number)
  const index = counts.findIndex((_, i) => at < counts.slice(0, i + 1).reduce((a, b) => a + b, 0))
  const pair = samples[index] as Pair
  const count = counts[index] as number
  if (size >= count) return pair
  const places = tf.tensor1d(RoundLearningMath.sample(random, count, size), "int32")
  return { input: tf.gather(pair.input, places), target: tf.gather(pair.target, places) }
}
