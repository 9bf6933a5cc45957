/**
 * Half-quadratic searches for a scale and for a zero-point: most errors should be small, a few may be large.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`, `./Search.ts` and what the bricks are made of.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Clamp from "../op/Clamp.ts"
import * as Shrink from "../op/Shrink.ts"
import * as Host from "../tensor/Host.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import type { BitWidth } from "./BitWidth.ts"
import * as Brick from "./Brick.ts"
import type { IntScaling } from "./IntScaling.ts"
import * as Search from "./Search.ts"
import type { Statistic } from "./Statistic.ts"
import type { View } from "./View.ts"

const fround = Math.fround

/** How strongly errors shrink: `beta` at first, `kappa` times as much after each step, towards the norm `p`. */
interface Shrinkage {
  readonly beta: number
  readonly kappa: number
  readonly p: number
  readonly iters: number
}

/** The next candidates from an attempt; `kept` is the view of x without the large errors. */
type Next = (attempt: Brick.Attempt, kept: tf.Tensor, before: Search.Candidates) => Search.Candidates

/** Goes on while the mean error falls; answers the candidates of the smallest one, and the beta after it. */
const descend = (
  sliced: Search.Sliced,
  { beta: first, kappa, p, iters }: Shrinkage,
  { x, init, attempt }: Search.Task,
  next: Next
): { readonly best: Search.Candidates; readonly beta: number } => {
  let [candidates, best, least, beta] = [init, init, Number.POSITIVE_INFINITY, first]
  for (let i = 0; i < iters; i++) {
    const step = tf.tidy(() => {
      const tried = attempt(candidates)
      const view = sliced.view.apply(x)
      const error = tf.sub(view, Search.viewed(sliced, x, tried.value))
      const sum = Host.floats(error).reduce((total, e) => total + Math.abs(e), 0)
      const loss = fround(sum / error.size)
      return loss < least
        ? { loss, next: next(tried, tf.sub(view, Shrink.shrink(error, beta, p)), candidates) }
        : undefined
    })
    if (step === undefined) break
    best = candidates
    least = step.loss
    candidates = step.next
    beta *= kappa
  }
  return { best, beta }
}

/** A value for each slice, also where there is one for all. */
const spread = (values: Float32Array, like: Search.Candidates): Search.Candidates =>
  values.length === like.length ? values : like.map(() => values[0] as number)

const checked = (what: string, suffix: string, shrinkage: Shrinkage): Shrinkage => {
  const { beta, kappa, iters } = shrinkage
  const check = (fits: boolean, name: string, reason: string): void => {
    if (!fits) throw new InvalidOptions({ what, option: `hqo${name}${suffix}`, reason })
  }
  check(beta > 0, "Beta", `must be positive, not ${beta}`)
  check(kappa > 0, "Kappa", `must be positive, not ${kappa}`)
  check(Number.isInteger(iters) && iters >= 1, "Iters", `must be a whole number of at least 1, not ${iters}`)
  return shrinkage
}

const dependencies = {
  /** lays the tensor out as slices */
  hqoInputViewShapeImpl: Injector.required<View>(),
  statsReduceDim: Injector.optional<number | null | undefined>(undefined)
}

/**
 * The statistic for a scale by half-quadratic splitting.
 *
 * - formula:  `y = quantized(x; t)`, `e = shrink(x - y, beta, p)`, `k = round(y / scale) - z`, `t <- T * median((x - e) / k)` over
 *   what is not 0, `beta <- kappa * beta`, while `mean |x - y|` falls
 * - shapes:   `x [...d] -> y [slices]`, as the initial statistic has them
 * - gradient: none
 * - errors:   `ConstructionFailed` unless beta and kappa are positive and the steps whole and at least 1; a slice with nothing
 *   to take a median of keeps its value
 * - source:   Badri and Shaji 2023, mobiusml.github.io/hqq_blog; Brevitas, core/stats/stats_op.py (HalfQuadraticOptimizerScale)
 *
 * @since 0.2.0
 */
export const HalfQuadraticOptimizerScale = Brick.component(
  "HalfQuadraticOptimizerScale",
  {
    hqoInitOpScale: Injector.required<Statistic>(),
    ...dependencies,
    intScalingImpl: Injector.required<IntScaling>(),
    bitWidthImpl: Injector.required<BitWidth>(),
    /** the smallest magnitude of a scale; absent: none */
    scalingMinVal: Injector.optional<number | null | undefined>(undefined),
    hqoBetaScale: Injector.optional(1e5),
    hqoKappaScale: Injector.optional(1.01),
    hqoLpNormScale: Injector.optional(0.7),
    hqoItersScale: Injector.optional(1000)
  },
  (given): Statistic => {
    const { hqoInitOpScale, hqoInputViewShapeImpl: view, intScalingImpl } = given
    const min = given.scalingMinVal ?? 0
    const shrinkage = checked("HalfQuadraticOptimizerScale", "Scale", {
      beta: given.hqoBetaScale,
      kappa: given.hqoKappaScale,
      p: given.hqoLpNormScale,
      iters: given.hqoItersScale
    })
    const sliced = { view, axis: given.statsReduceDim ?? undefined }
    const search = (task: Search.Task): Search.Found => {
      const next: Next = ({ value, scale, zeroPoint, bitWidth }, kept, before) => {
        const k = Search.viewed(sliced, task.x, tf.sub(tf.round(tf.div(value, scale)), zeroPoint))
        const mask = tf.logicalAnd(tf.notEqual(kept, 0), tf.notEqual(k, 0))
        const median = Shrink.maskedMedian(tf.div(kept, k), mask, { axis: sliced.axis })
        const t = tf.mul(min === 0 ? median : Clamp.atLeast(median, min), intScalingImpl.apply(bitWidth))
        return spread(Host.floats(t), before).map((c, slice) => (Number.isFinite(c) ? c : (before[slice] as number)))
      }
      return { best: descend(sliced, shrinkage, task, next).best }
    }
    return Search.ofScale({
      label: "HalfQuadraticOptimizerScale",
      children: {
        hqoInitOp: hqoInitOpScale,
        inputViewShapeImpl: Search.shownAs(view),
        intScalingImpl: Search.shownAs(intScalingImpl),
        msbClampBitWidthImpl: Search.shownAs(given.bitWidthImpl),
        clampMinSte: Brick.shown(min === 0 ? "Identity" : "ScalarSignedClampMinSte")
      },
      initName: "hqoInitOp",
      initOp: hqoInitOpScale,
      ...sliced,
      search
    })
  }
)

/**
 * The statistic for a zero-point by half-quadratic splitting, with the scale as it is.
 *
 * - formula:  `y = quantized(x; t)`, `e = shrink(x - y, beta, p)`, `k = y / scale + z`, `t <- mean(x - e - k * scale)`,
 *   `beta <- kappa * beta`, while `mean |x - y|` falls; the next call goes on with the last beta
 * - shapes:   `x [...d] -> y [slices]`, as the initial statistic has them
 * - gradient: none
 * - errors:   `ConstructionFailed` unless beta and kappa are positive and the steps whole and at least 1
 * - source:   Badri and Shaji 2023, mobiusml.github.io/hqq_blog; Brevitas, core/stats/stats_op.py
 *   (HalfQuadraticOptimizerZeroPoint)
 *
 * @since 0.2.0
 */
export const HalfQuadraticOptimizerZeroPoint = Brick.component(
  "HalfQuadraticOptimizerZeroPoint",
  {
    hqoInitOpZp: Injector.required<Statistic>(),
    ...dependencies,
    hqoBetaZp: Injector.optional(1),
    hqoKappaZp: Injector.optional(1.01),
    hqoLpNormZp: Injector.optional(0.5),
    hqoItersZp: Injector.optional(1000)
  },
  (given): Statistic => {
    const { hqoInitOpZp, hqoInputViewShapeImpl: view } = given
    const shrinkage = checked("HalfQuadraticOptimizerZeroPoint", "Zp", {
      beta: given.hqoBetaZp,
      kappa: given.hqoKappaZp,
      p: given.hqoLpNormZp,
      iters: given.hqoItersZp
    })
    const sliced = { view, axis: given.statsReduceDim ?? undefined }
    const search = (task: Search.Task): Search.Found => {
      const next: Next = ({ value, scale, zeroPoint }, kept, before) => {
        const lattice = tf.mul(tf.add(tf.div(value, scale), zeroPoint), scale)
        const shift = tf.sub(kept, Search.viewed(sliced, task.x, lattice))
        const totals = Search.sums(sliced, shift)
        const length = shift.size / totals.length
        return spread(
          totals.map((total) => total / length),
          before
        )
      }
      const { best, beta } = descend(sliced, { ...shrinkage, beta: Number(task.memory.beta) }, task, next)
      return { best, memory: { beta } }
    }
    return Search.ofZeroPoint({
      label: "HalfQuadraticOptimizerZeroPoint",
      children: { hqoInitOpZp, inputViewShapeImpl: Search.shownAs(view) },
      initName: "hqoInitOpZp",
      initOp: hqoInitOpZp,
      memory: { beta: shrinkage.beta },
      ...sliced,
      search
    })
  }
)
