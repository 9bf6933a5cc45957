/**
 * Quantizers whose statistics search, from the configurations of the vectors, and the replay of their cases.
 */
import * as tf from "@tensorflow/tfjs-core"
import { BitWidthConst } from "../../../../src/core/BitWidth.ts"
import type * as Brick from "../../../../src/core/Brick.ts"
import { HalfQuadraticOptimizerScale, HalfQuadraticOptimizerZeroPoint } from "../../../../src/core/HalfQuadratic.ts"
import * as IntQuant from "../../../../src/core/IntQuant.ts"
import { MSEScale, MSEZeroPoint } from "../../../../src/core/MeanSquaredError.ts"
import { ParameterFromRuntimeStatsScaling } from "../../../../src/core/RuntimeScaling.ts"
import * as Statistic from "../../../../src/core/Statistic.ts"
import { ParameterFromStatsFromParameterScaling, StatsFromParameterScaling } from "../../../../src/core/StatsScaling.ts"
import type { Quantized, TensorQuantizer } from "../../../../src/core/TensorQuantizer.ts"
import * as View from "../../../../src/core/View.ts"
import * as ZeroPoint from "../../../../src/core/ZeroPoint.ts"
import type { Case, Replay } from "../../Case.ts"
import { compared, on, type Tensors, tensorsOf } from "../Core.ts"
import { clampOf, roundingOf } from "./Rounding.ts"
import { intScalingOf, restrictionOf } from "./Scaling.ts"

// ---- how the slices of a case lie -----------------------------------------------------------------------------

interface Laid {
  readonly view: () => View.View
  /** how the quantizer lays its input out */
  readonly inputView: View.View
  readonly scalingShape: ReadonlyArray<number>
  readonly statsReduceDim: number | undefined
  readonly keepdim: boolean
}

const groupsOf = ({ group_size: size, group_dim: dim }: any, shape: ReadonlyArray<number>): Laid => {
  const groups = Math.ceil((shape[dim] as number) / size)
  const split = (inner: number) => [...shape.slice(0, dim), groups, inner, ...shape.slice(dim + 1)]
  const view = () =>
    View.OverSubChannelBlockView({ groupSize: size, groupDim: dim, expandedGroupwiseShape: split(size) })
  return { view, inputView: view(), scalingShape: split(1), statsReduceDim: dim + 1, keepdim: true }
}

const laidOf = (config: any, shape: ReadonlyArray<number>): Laid => {
  if (config.group_size !== undefined) return groupsOf(config, shape)
  const inputView = View.Identity({})
  return config.granularity === "channel"
    ? {
        view: () => View.OverOutputChannelView({}),
        inputView,
        scalingShape: shape.map((d, i) => (i === 0 ? d : 1)),
        statsReduceDim: 1,
        keepdim: false
      }
    : { view: () => View.OverTensorView({}), inputView, scalingShape: [], statsReduceDim: undefined, keepdim: false }
}

// ---- statistics ---------------------------------------------------------------------------------------------

const initOps: Readonly<Record<string, (given: any) => Statistic.Statistic>> = {
  AbsMax: Statistic.AbsMax,
  AbsMinMax: Statistic.AbsMinMax,
  NegativeMinOrZero: Statistic.NegativeMinOrZero,
  AbsAve: Statistic.AbsAve
}
const initOf = (name: string, { statsReduceDim, keepdim }: Laid): Statistic.Statistic => {
  const make = initOps[name]
  if (make === undefined) throw new Error(`no initial statistic "${name}"`)
  return make({ statsReduceDim, keepdim })
}

/** Keeps what a statistic answers outside of an attempt, and how it could try. */
interface Seen {
  answer?: tf.Tensor
  attempt?: Brick.State["attempt"]
}
const watched = (statistic: Statistic.Statistic, seen: Seen): Statistic.Statistic => ({
  ...statistic,
  apply: (state, x) => {
    const answered = statistic.apply(state, x)
    if (state.trial === undefined) {
      seen.answer = answered[0]
      seen.attempt = state.attempt
    }
    return answered
  }
})

const mse = (config: any, laid: Laid) => ({
  mseSearchMethod: (config.search_method ?? config.search ?? "grid") as "grid" | "fibonacci",
  mseIters: (config.iters ?? 20) as number,
  mseInputViewShapeImpl: laid.view(),
  statsReduceDim: laid.statsReduceDim
})

const scaleStatisticOf = (config: any, laid: Laid): Statistic.Statistic => {
  const isMse = config.op === "MSE" || config.search !== undefined
  if (isMse) return MSEScale({ mseScaleInitOp: initOf(config.init_op, laid), ...mse(config, laid) })
  if (config.scaling?.stats_op !== undefined) return initOf(config.scaling.stats_op, laid)
  return HalfQuadraticOptimizerScale({
    hqoInitOpScale: initOf(config.init_op, laid),
    hqoInputViewShapeImpl: laid.view(),
    intScalingImpl: intScalingOf(config.int_scaling ?? "IntScaling", rangeOf(config)),
    bitWidthImpl: BitWidthConst({ bitWidth: config.bit_width }),
    scalingMinVal: config.scaling_min_val,
    hqoBetaScale: config.beta,
    hqoKappaScale: config.kappa,
    hqoLpNormScale: config.lp_norm,
    hqoItersScale: config.max_iters,
    statsReduceDim: laid.statsReduceDim
  })
}

const zeroPointStatisticOf = (config: any, laid: Laid): Statistic.Statistic | undefined => {
  if (config.zero_point?.stats_op === "MSE")
    return MSEZeroPoint({ mseZeroPointInitOp: initOf(config.zero_point.init_op, laid), ...mse(config, laid) })
  if (config.zero_point?.init_op !== undefined) return initOf(config.zero_point.init_op, laid)
  if (config.scaling?.stats_op === undefined) return undefined
  return HalfQuadraticOptimizerZeroPoint({
    hqoInitOpZp: initOf(config.init_op, laid),
    hqoInputViewShapeImpl: laid.view(),
    hqoBetaZp: config.beta,
    hqoKappaZp: config.kappa,
    hqoLpNormZp: config.lp_norm,
    hqoItersZp: config.max_iters,
    statsReduceDim: laid.statsReduceDim
  })
}

// ---- quantizers ---------------------------------------------------------------------------------------------

const rangeOf = (config: any) => ({ signed: config.signed as boolean, narrowRange: config.narrow_range as boolean })

const scalings: Readonly<Record<string, (given: any) => any>> = {
  ParameterFromStatsFromParameterScaling,
  StatsFromParameterScaling,
  ParameterFromRuntimeStatsScaling
}
const scalingName = ({ scaling }: any): string =>
  (typeof scaling === "string" ? scaling : scaling?.op) ?? "ParameterFromStatsFromParameterScaling"

interface Built {
  readonly quantizer: TensorQuantizer
  readonly scale: Seen
  readonly zeroPoint: Seen
}

const quantizerOf = (config: any, shape: ReadonlyArray<number>): Built => {
  const laid = laidOf(config, shape)
  const [scale, zeroPoint]: [Seen, Seen] = [{}, {}]
  const host = {
    ...rangeOf(config),
    floatToIntImpl: roundingOf(config.float_to_int ?? "round"),
    tensorClampImpl: clampOf("tensor_clamp")
  }
  const intScaling =
    config.int_scaling ?? (config.restrict_scaling === "POWER_OF_TWO" ? "PowerOfTwoIntScaling" : "IntScaling")
  const scaling = scalings[scalingName(config)]
  if (scaling === undefined) throw new Error(`no scaling "${scalingName(config)}"`)
  const zeroPointStatistic = zeroPointStatisticOf(config, laid)
  const quantizer = IntQuant.RescalingIntQuant({
    intQuant: IntQuant.IntQuant({ ...host, inputViewImpl: laid.inputView }),
    scalingImpl: scaling({
      scalingStatsImpl: watched(scaleStatisticOf(config, laid), scale),
      scalingStatsInputViewShapeImpl: config.search === undefined && laid.keepdim ? laid.view() : View.Identity({}),
      scalingShape: laid.scalingShape,
      scalingMinVal: config.scaling_min_val ?? undefined,
      collectStatsSteps: config.collect_stats_steps,
      restrictScalingImpl: restrictionOf(config)
    }),
    intScalingImpl: intScalingOf(intScaling, rangeOf(config)),
    zeroPointImpl:
      zeroPointStatistic === undefined
        ? ZeroPoint.ZeroZeroPoint({})
        : ZeroPoint.ParameterFromStatsFromParameterZeroPoint({
            zeroPointStatsImpl: watched(zeroPointStatistic, zeroPoint),
            zeroPointShape: laid.scalingShape,
            quantizeZeroPoint: config.zero_point?.quantize_zero_point ?? config.quantize_zero_point,
            ...host
          }),
    bitWidthImpl: BitWidthConst({ bitWidth: config.bit_width })
  })
  return { quantizer, scale, zeroPoint }
}

// ---- replays ------------------------------------------------------------------------------------------------

const stepOf = (quantizer: TensorQuantizer, state: Brick.State, x: tf.Tensor): readonly [Quantized, Brick.State] => {
  const prepared = { ...state, ...quantizer.prepare(state) }
  const [quantized, memory] = quantizer.apply(prepared, x)
  return [quantized, { ...prepared, memory }]
}

const beginning = (quantizer: TensorQuantizer, training: boolean, tracked?: ReadonlyArray<tf.Tensor>): Brick.State => ({
  parameters: quantizer.parameters,
  memory: quantizer.memory,
  training,
  tracked
})

/** The loss of each candidate of the grid, slice by slice. */
const lossesOf = (config: any, x: tf.Tensor, { attempt }: Seen): tf.Tensor | undefined => {
  if (attempt === undefined || config.search_method !== "grid") return undefined
  const laid = laidOf(config, x.shape)
  const base = tf.div(
    initOf(config.init_op, laid).apply(
      beginning(quantizerOf(config, x.shape).quantizer, true),
      laid.view().apply(x)
    )[0],
    config.iters
  )
  const rows = Array.from({ length: config.iters - 1 }, (_, i) => {
    const error = tf.sub(x, attempt(x, { scale: tf.mul(base, i + 2) }).value)
    return tf.reshape(tf.sum(laid.view().apply(tf.square(error)), laid.statsReduceDim), [-1])
  })
  return tf.stack(rows)
}

const weight = (testCase: Case, { x }: Tensors) => {
  const { config } = testCase
  const input = x as tf.Tensor
  const { quantizer, scale, zeroPoint } = quantizerOf(config, input.shape)
  const [quantized, after] = stepOf(quantizer, beginning(quantizer, true, [input]), input)
  const parameter = (name: string): tf.Tensor | undefined =>
    (after.parameters[name] as Readonly<Record<string, tf.Tensor>> | undefined)?.value
  const parts = quantized.grouped
  return {
    value: quantized.value,
    scale: quantized.scale,
    zero_point: quantized.zeroPoint,
    bit_width: quantized.bitWidth,
    int: tf.round(tf.add(tf.div(quantized.value, quantized.scale), quantized.zeroPoint)),
    value_grouped: parts?.value,
    scale_grouped: parts?.scale,
    zero_point_grouped: parts?.zeroPoint,
    threshold: parameter("scalingImpl"),
    scale_candidate: scale.answer,
    zero_point_param: parameter("zeroPointImpl"),
    zero_point_stat: zeroPoint.answer,
    scale_losses: lossesOf(config, input, scale)
  }
}

const activation = ({ config }: Case, inputs: Tensors) => {
  const { quantizer } = quantizerOf(config, (inputs.x ?? (inputs["x@0"] as tf.Tensor)).shape)
  const steps: ReadonlyArray<string> = config.steps
  let state = beginning(quantizer, true)
  const outputs: Record<string, tf.Tensor> = {}
  for (const [k, mode] of steps.entries()) {
    const x = (inputs[`x@${k}`] ?? inputs.x) as tf.Tensor
    const [quantized, after] = stepOf(quantizer, { ...state, training: mode === "train" }, x)
    Object.assign(outputs, {
      [`value@${k}`]: quantized.value,
      [`scale@${k}`]: quantized.scale,
      [`zero_point@${k}`]: quantized.zeroPoint
    })
    state = after
  }
  return outputs
}

/** The cases of the operations MSE, HalfQuadraticOptimizerScale and HalfQuadraticOptimizerZeroPoint. */
export const replaySearch: Replay = (testCase, backend) =>
  on(backend, () => {
    const inputs = tensorsOf(testCase.inputs)
    return compared(testCase, {
      outputs: (testCase.config.steps === undefined ? weight : activation)(testCase, inputs)
    })
  })
