/**
 * Statistics of what runs through a float network: the ends, percentiles and outliers of each layer's output, and of its weight.
 *
 * Values are counted by the sixteen upper bits of their float32, in order: counts of batches add up, as JSON too, and a percentile is as
 * near as eight bits of a mantissa are.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `nn`, `tensor`, `./Noise.ts`, `./Ptq.ts`. Laws: test/ptq/Statistics.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as Layer from "../nn/Layer.ts"
import { isComposed } from "../nn/Model.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import { type NoCalibrationData, NonFiniteActivations } from "../tensor/StepErrors.ts"
import * as Noise from "./Noise.ts"
import * as Ptq from "./Ptq.ts"

// ---- counts -------------------------------------------------------------------------------------------------

/** Values that were counted; plain numbers. */
export interface Counted {
  readonly count: number
  readonly min: number
  readonly max: number
  readonly sum: number
  readonly squares: number
  /** how many values have this key, which rises with the value */
  readonly keys: Readonly<Record<number, number>>
}

/** Nothing was counted. */
export const none: Counted = {
  count: 0,
  min: Number.POSITIVE_INFINITY,
  max: Number.NEGATIVE_INFINITY,
  sum: 0,
  squares: 0,
  keys: {}
}

const keyOf = (bits: number): number => ((bits & 0x80000000) !== 0 ? ~bits >>> 16 : (bits | 0x80000000) >>> 16)

/** The value in the middle of those with a key. */
const middleOf = (key: number): number => {
  const bits = (key & 0x8000) !== 0 ? ((key << 16) ^ 0x80000000) | 0x8000 : ~((key << 16) | 0x7fff)
  return new Float32Array(Uint32Array.of(bits >>> 0).buffer)[0] as number
}

/** The counts after more values. */
export const counted = (before: Counted, values: Float32Array): Counted => {
  const keys: Record<number, number> = { ...before.keys }
  const bits = new Uint32Array(values.slice().buffer)
  let [min, max, sum, squares] = [before.min, before.max, before.sum, before.squares]
  for (let i = 0; i < values.length; i++) {
    const x = values[i] as number
    const key = keyOf(bits[i] as number)
    keys[key] = (keys[key] ?? 0) + 1
    min = Math.min(min, x)
    max = Math.max(max, x)
    sum += x
    squares += x * x
  }
  return { count: before.count + values.length, min, max, sum, squares, keys }
}

/** The mean; of nothing NaN. */
export const mean = ({ count, sum }: Counted): number => sum / count
/** The standard deviation, of all values that were counted. */
export const deviation = (all: Counted): number => Math.sqrt(Math.max(0, all.squares / all.count - mean(all) ** 2))

/** The value below which so many percent of all lie, no farther than the ends. */
export const percentile = ({ keys, count, min, max }: Counted, percent: number): number => {
  const sorted = Object.keys(keys)
    .map(Number)
    .toSorted((a, b) => a - b)
  const wanted = (percent / 100) * count
  const reached = { sum: 0 }
  const key = sorted.find((one) => {
    reached.sum += keys[one] ?? 0
    return reached.sum >= wanted
  })
  return key === undefined ? Number.NaN : Math.min(max, Math.max(min, middleOf(key)))
}

/** The share of values that lie farther from the mean than so many standard deviations. */
export const outliers = (all: Counted, deviations = 6): number => {
  const reach = deviations * deviation(all)
  const far = Object.entries(all.keys).filter(([key]) => Math.abs(middleOf(Number(key)) - mean(all)) > reach)
  return far.reduce((sum, [, count]) => sum + count, 0) / all.count
}

// ---- models -------------------------------------------------------------------------------------------------

export interface Row {
  readonly layer: string
  readonly of: "weight" | "output"
  readonly counted: Counted
}

/** What was counted over some batches. */
export interface Statistics {
  readonly batches: number
  readonly rows: ReadonlyArray<Row>
}

const floatsOf = (x: tf.Tensor): Float32Array => Float32Array.from(x.dataSync())

const weightRows = (model: Layer.Stateful): ReadonlyArray<Row> =>
  Ptq.weighted(model).map(({ name, layer }) => ({
    layer: name,
    of: "weight",
    counted: counted(none, floatsOf(LeasedRef.current(layer.own).parameters.weight as tf.Tensor))
  }))

/**
 * Counts what each layer of a float network answers, over batches, and its weights. Nothing is changed.
 *
 * - formula:  counts of values; `percentile`, `outliers` and the others are read off them
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NoCalibrationData; NonFiniteActivations, which names the layer; InputError of the model
 * - source:   none
 *
 * @category observing
 * @since 0.4.0
 */
export const measure = <E = never, R = never>(
  model: Ptq.Model,
  batches: Ptq.Batches<E, R>,
  options: Ptq.Reporting = {}
): Effect.Effect<Statistics, NoCalibrationData | NonFiniteActivations | Layer.InputError | E, R> =>
  Effect.gen(function* () {
    const step = "FloatStatistics"
    const mode = Layer.without(Layer.evaluation)
    const outputs = new Map<string, Counted>()
    const first = new Map<Layer.Stateful, string>()
    const watched = Ptq.replacing(model, (layer, path) => {
      if (isComposed(layer)) return undefined
      const name = first.get(layer) ?? path
      first.set(layer, name)
      const { apply } = layer as Layer.Layer
      const counting: Layer.Layer["apply"] = (states, x, inner) => {
        const answer = apply(states, x, inner)
        for (const y of Noise.valuesOf(answer[0])) outputs.set(name, counted(outputs.get(name) ?? none, floatsOf(y)))
        return answer
      }
      return { ...layer, apply: counting } as Layer.Layer
    })
    const seen = (batch: Ptq.Batch) =>
      Layer.attempt(() => {
        tf.tidy(() => {
          watched.apply(Layer.prepare(Layer.read(model), mode), Ptq.inputOf(batch), mode)
        })
      })
    const count = yield* Ptq.passed(batches, seen, { step, ...options })
    const rows = [...outputs].map(([layer, all]): Row => ({ layer, of: "output", counted: all }))
    const bad = rows.find((row) => !Number.isFinite(row.counted.squares))
    if (bad !== undefined) return yield* new NonFiniteActivations({ step, layer: bad.layer })
    return { batches: count, rows: [...weightRows(model), ...rows] }
  })

// ---- as a table ---------------------------------------------------------------------------------------------

/** The heads of the columns of `cells`. */
export const headers: ReadonlyArray<string> = [
  "layer",
  "of",
  "min",
  "0.1 %",
  "median",
  "99.9 %",
  "max",
  "deviation",
  "beyond 6 deviations"
]

const short = (x: number): string => `${Number(x.toPrecision(3))}`

/** The rows as texts, for a table. */
export const cells = ({ rows }: Statistics): ReadonlyArray<ReadonlyArray<string>> =>
  rows.map(({ layer, of, counted: all }) => [
    layer,
    of,
    ...[all.min, percentile(all, 0.1), percentile(all, 50), percentile(all, 99.9), all.max, deviation(all)].map(short),
    `${(100 * outliers(all)).toFixed(3)} %`
  ])
