/**
 * The scale, or the zero-point, of the smallest squared error among candidates.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`, `./Search.ts`, `./Statistic.ts`, `./View.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Brick from "./Brick.ts"
import * as Search from "./Search.ts"
import type { Statistic } from "./Statistic.ts"
import type { View } from "./View.ts"

const fround = Math.fround

/** How candidates are chosen: evenly, or by narrowing an interval. */
export type SearchMethod = "grid" | "fibonacci"

type Losses = (candidates: Search.Candidates) => Float32Array
type Method = (init: Search.Candidates, iters: number, losses: Losses) => Search.Candidates

const each = (like: Search.Candidates, f: (slice: number) => number): Search.Candidates =>
  Float32Array.from(like, (_, slice) => f(slice))

/** The loss of a slice; there may be one for all of them. */
const at = (losses: Float32Array, slice: number): number => losses[losses.length === 1 ? 0 : slice] as number

/** `init / n * i` for i = 2 ... n: the first one with the smallest loss; a loss that is not a number ends the search. */
const grid: Method = (init, iters, losses) => {
  const base = each(init, (slice) => fround(init[slice] as number) / iters)
  const best = base.slice()
  const least = new Float64Array(init.length).fill(Number.POSITIVE_INFINITY)
  for (let i = 2; i <= iters; i++) {
    const candidates = each(base, (slice) => (base[slice] as number) * i)
    const loss = losses(candidates)
    for (let slice = 0; slice < best.length; slice++) {
      const [now, before] = [at(loss, slice), least[slice] as number]
      if (now < before) best[slice] = candidates[slice] as number
      least[slice] = now < before || Number.isNaN(now) ? now : before
    }
  }
  return best
}

/** Narrows `[init / n, init]` by the ratios of Fibonacci numbers; every slice has an interval of its own. */
const fibonacci: Method = (init, iters, losses) => {
  const numbers = [0, 1]
  while (numbers.length <= iters) numbers.push((numbers.at(-1) as number) + (numbers.at(-2) as number))
  const ratio = (n: number, m: number): number => fround((numbers[n] as number) / (numbers[m] as number))
  const left = each(init, (slice) => fround(init[slice] as number) / iters)
  const right = init.slice()
  const length = each(init, (slice) => (right[slice] as number) - (left[slice] as number))
  const step = each(length, (slice) => ratio(iters - 2, iters) * (length[slice] as number))
  const best = init.slice()
  for (let i = 2; i <= iters; i++) {
    const far = (slice: number): boolean => (step[slice] as number) > (length[slice] as number) / 2
    const up = each(left, (slice) => (left[slice] as number) + (step[slice] as number))
    const down = each(right, (slice) => (right[slice] as number) - (step[slice] as number))
    const x1 = each(init, (slice) => (far(slice) ? down : up)[slice] as number)
    const x2 = each(init, (slice) => (far(slice) ? up : down)[slice] as number)
    const [loss1, loss2] = [losses(x1), losses(x2)]
    for (let slice = 0; slice < best.length; slice++) {
      const [f1, f2] = [at(loss1, slice), at(loss2, slice)]
      if (f1 <= f2) right[slice] = x2[slice] as number
      if (f1 >= f2) left[slice] = x1[slice] as number
      const now = fround((right[slice] as number) - (left[slice] as number))
      step[slice] = ratio(iters - i, iters - (i - 2)) * (f1 !== f2 ? (length[slice] as number) : now)
      length[slice] = now
      best[slice] = (f1 <= f2 ? x1 : x2)[slice] as number
    }
  }
  return best
}

const methods: Readonly<Record<SearchMethod, Method>> = { grid, fibonacci }

const dependencies = {
  mseSearchMethod: Injector.optional<SearchMethod>("grid"),
  /** into how many parts the initial statistic is divided; how often an interval is narrowed */
  mseIters: Injector.optional(20),
  /** lays the error out as slices */
  mseInputViewShapeImpl: Injector.required<View>(),
  statsReduceDim: Injector.optional<number | null | undefined>(undefined)
}
type Given = Injector.AllOf<typeof dependencies>

const parts = (given: Given, mseInitOp: Statistic) => {
  const { mseIters: iters, mseSearchMethod, mseInputViewShapeImpl: view } = given
  if (!(Number.isInteger(iters) && iters >= 2))
    throw new InvalidOptions({
      what: "MSE",
      option: "mseIters",
      reason: `must be a whole number of at least 2, not ${iters}`
    })
  const axis = given.statsReduceDim ?? undefined
  const whole = (y: tf.Tensor, shape: ReadonlyArray<number>): tf.Tensor => view.groups?.merged(y, shape) ?? y
  const search = ({ x, init, attempt }: Search.Task): Search.Found => {
    const losses: Losses = (candidates) =>
      tf.tidy(() => {
        const error = tf.sub(x, whole(attempt(candidates).value, x.shape))
        return Search.sums({ view, axis }, view.apply(tf.mul(error, error)))
      })
    return { best: methods[mseSearchMethod](init, iters, losses) }
  }
  return {
    label: "MSE",
    children: { mseInitOp, inputViewShapeImpl: Search.shownAs(view) },
    initName: "mseInitOp",
    initOp: mseInitOp,
    view,
    axis,
    search
  }
}

/**
 * The statistic for a scale of the smallest squared error.
 *
 * - formula:  `argmin over t of sum (x - quantized(x; t))^2`, `t = init / n * i, i = 2 ... n`, the first of equal ones; or by
 *   Fibonacci search between `init / n` and `init`
 * - shapes:   `x [...d] -> y [slices]`, as the initial statistic has them
 * - gradient: none
 * - errors:   `ConstructionFailed` unless `mseIters` is whole and at least 2; a slice with NaN gives NaN
 * - source:   Brevitas, core/stats/stats_op.py (MSE); Zhao et al. 2019, arXiv:1901.09504
 *
 * @since 0.2.0
 */
export const MSEScale = Brick.component(
  "MSE",
  { mseScaleInitOp: Injector.required<Statistic>(), ...dependencies },
  ({ mseScaleInitOp, ...given }): Statistic => Search.ofScale(parts(given, mseScaleInitOp))
)

/**
 * The statistic for a zero-point of the smallest squared error, with the scale as it is.
 *
 * - formula:  as `MSEScale`, where `t` is the lowest value that has an integer of its own
 * - shapes:   `x [...d] -> y [slices]`, as the initial statistic has them
 * - gradient: none
 * - errors:   `ConstructionFailed` unless `mseIters` is whole and at least 2; a slice with NaN gives NaN
 * - source:   Brevitas, core/stats/stats_op.py (MSE)
 *
 * @since 0.2.0
 */
export const MSEZeroPoint = Brick.component(
  "MSE",
  { mseZeroPointInitOp: Injector.required<Statistic>(), ...dependencies },
  ({ mseZeroPointInitOp, ...given }): Statistic => Search.ofZeroPoint(parts(given, mseZeroPointInitOp))
)
