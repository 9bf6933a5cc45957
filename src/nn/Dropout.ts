/**
 * Dropout: in training some values become 0, others grow to make up for them.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `proxy`, `tensor`, `./Layer.ts`. Laws: test/nn/Dropout.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Cell from "../proxy/Cell.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Random from "../tensor/Random.ts"
import * as Layer from "./Layer.ts"

export interface Options {
  /** how likely a value is to become 0, from 0 to below 1; default: 0.5 */
  readonly probability?: number
  /** the same seed drops the same values in the same steps; default: 0 */
  readonly seed?: number
}

/** 0 where a value is dropped, else `kept`. */
const maskOf = (random: Random.Random, shape: ReadonlyArray<number>, probability: number, kept: number): tf.Tensor => {
  const values = Random.uniform(random, tf.util.sizeFromShape([...shape]), 0, 1)
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) < probability ? 0 : kept
  return tf.tensor(values, [...shape])
}

/** Whether 0 is one of the values: the integers must not be in groups, their zero-points be 0, and their bits more than a sign. */
const hasZero = (x: QuantTensor.QuantTensor): boolean =>
  x.grouped === undefined && x.zeroPoint.dataSync().every((z) => z === 0) && x.bitWidth.dataSync().every((b) => b > 1)

/** Integers keep their format, on a grid as much wider as the values are; what cannot be 0 becomes plain. */
const dropped = (x: Layer.Value, mask: tf.Tensor, kept: number): Layer.Value => {
  const value = tf.mul(QuantTensor.dequantized(x), mask)
  return QuantTensor.isQuantTensor(x) && hasZero(x) ? { ...x, value, scale: tf.mul(x.scale, kept) } : value
}

/**
 * Dropout: each step of training drops other values, drawn from the seed and from how many steps there were. In evaluation
 * everything runs through.
 *
 * - formula:  `y = x m / (1 - p)` in training, `m` being 0 with the probability p, else 1; `y = x` in evaluation
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy m / (1 - p)` in training, `dx = dy` in evaluation
 * - errors:   InvalidOptions for a probability that is none; NaN and infinities that are dropped are NaN
 * - source:   Srivastava et al. 2014, JMLR 15; Brevitas, nn/quant_dropout.py
 *
 * @since 0.3.0
 */
export const dropout = (options: Options = {}): Effect.Effect<Layer.Layer, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const { probability = 0.5, seed = 0 } = options
    if (!(probability >= 0 && probability < 1)) {
      const reason = `must be from 0 to below 1; it is ${probability}`
      return yield* new InvalidOptions({ what: "Dropout", option: "probability", reason })
    }
    const own = yield* LeasedRef.make(Cell.living({ parameters: {}, memory: { steps: 0 } }))
    const [random, kept] = [Random.make(seed), 1 / (1 - probability)]
    const apply: Layer.Layer["apply"] = (states, x, mode) => {
      if (!mode.training || probability === 0) return [x, states]
      const steps = Layer.stateOf(states, own).memory.steps as number
      const mask = maskOf(Random.split(random, steps), QuantTensor.dequantized(x).shape, probability, kept)
      return [dropped(x, mask, kept), Layer.remember(states, own, { steps: steps + 1 })]
    }
    return { kind: "Dropout", form: { op: "identity" }, cells: [["", own] as const], proxies: [], apply }
  })
