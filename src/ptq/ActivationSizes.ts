/**
 * How large the channels are that layers read in the float network, over batches.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `nn`, `proxy` types, `tensor`, `./Channels.ts`, `./Ptq.ts`.
 * Laws: test/ptq/ActivationEqualize.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as Calls from "../nn/Calls.ts"
import * as Layer from "../nn/Layer.ts"
import type * as Cell from "../proxy/Cell.ts"
import { type NoCalibrationData, NonFiniteActivations } from "../tensor/StepErrors.ts"
import type * as Channels from "./Channels.ts"
import * as Ptq from "./Ptq.ts"

/** What was seen of the channels of a value. */
export interface Seen {
  readonly low: Float64Array
  readonly high: Float64Array
  readonly sum: Float64Array
  readonly squares: Float64Array
  readonly count: number
}

const nothing = (channels: number): Seen => ({
  low: new Float64Array(channels).fill(Number.POSITIVE_INFINITY),
  high: new Float64Array(channels).fill(Number.NEGATIVE_INFINITY),
  sum: new Float64Array(channels),
  squares: new Float64Array(channels),
  count: 0
})

/** What was seen before, and of further values, whose last axis is that of the channels. */
const added = (before: Seen, values: ArrayLike<number>): Seen => {
  const channels = before.low.length
  const [low, high] = [before.low.slice(), before.high.slice()]
  const [sum, squares] = [before.sum.slice(), before.squares.slice()]
  for (let i = 0, c = 0; i < values.length; i++, c = c + 1 === channels ? 0 : c + 1) {
    const value = values[i] as number
    if (value < (low[c] as number)) low[c] = value
    if (value > (high[c] as number)) high[c] = value
    sum[c] = (sum[c] as number) + value
    squares[c] = (squares[c] as number) + value * value
  }
  return { low, high, sum, squares, count: before.count + values.length / channels }
}

/** The size of each channel. */
export const sizesOf = ({ low, high, squares }: Seen, measure: Channels.Measure): Float64Array =>
  low.map((least, c) => {
    const most = high[c] as number
    if (measure === "l2") return Math.sqrt(squares[c] as number)
    return measure === "range" && most > least ? most - least : Math.max(Math.abs(least), Math.abs(most))
  })

/** A layer that is looked at. */
export interface Watched {
  readonly name: string
  readonly own: Cell.Cell
}

/**
 * What layers read, or answer, in the float network, channel by channel.
 *
 * - formula:  the least, the largest, the sum and the sum of squares over all samples, positions and calls
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NoCalibrationData; NonFiniteActivations, which names the layer; InputError of the model
 * - source:   Brevitas, graph/equalize.py (forward_stats_hook)
 *
 * @category observing
 * @since 0.4.0
 */
export const of = <E, R>(
  model: Ptq.Model,
  batches: Ptq.Batches<E, R>,
  layers: ReadonlyArray<Watched>,
  about: { readonly step: string; readonly side?: "inputs" | "outputs" } & Ptq.Reporting
): Effect.Effect<
  { readonly sizes: ReadonlyMap<Cell.Cell, Seen>; readonly batches: number },
  NoCalibrationData | NonFiniteActivations | Layer.InputError | E,
  R
> =>
  Effect.gen(function* () {
    const { step, side = "inputs" } = about
    const found = new Map<Cell.Cell, Seen>()
    const plain = Layer.without(Layer.evaluation)
    const look = (batch: Ptq.Batch): void => {
      tf.tidy(() => {
        const run = Calls.run(model, Ptq.inputOf(batch), plain)
        for (const { own } of layers)
          for (const call of Calls.callsOf(run, own)) {
            const x = call[side][0] as tf.Tensor
            found.set(own, added(found.get(own) ?? nothing(x.shape.at(-1) ?? 1), x.dataSync()))
          }
      })
    }
    const isBad = ({ own }: Watched): boolean => found.get(own)?.squares.every(Number.isFinite) === false
    const count = yield* Ptq.passed(
      batches,
      (batch) =>
        Effect.flatMap(
          Layer.attempt(() => look(batch)),
          () => {
            const bad = layers.find(isBad)
            return bad === undefined ? Effect.void : Effect.fail(new NonFiniteActivations({ step, layer: bad.name }))
          }
        ),
      about
    )
    return { sizes: found, batches: count }
  })
