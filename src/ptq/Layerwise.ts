/**
 * Steps that change weights layer after layer: each layer gets the inputs that the layers before it, already changed, give.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `nn`, `proxy`, `tensor`, `./Accumulation.ts`, `./AxeMath.ts`, `./ColumnRounding.ts`,
 * `./GptqMath.ts`, `./Matrix.ts`, `./Ptq.ts`, `./Unfold.ts`. Laws: test/ptq/Steps.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as TensorQuantizer from "../core/TensorQuantizer.ts"
import * as Layer from "../nn/Layer.ts"
import type { Weighted } from "../nn/Weighted.ts"
import type * as Cell from "../proxy/Cell.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import {
  type AccumulatorUnfit,
  type NoCalibrationData,
  NonFiniteActivations,
  ScaleNotFixed,
  SingularHessian
} from "../tensor/StepErrors.ts"
import * as Accumulation from "./Accumulation.ts"
import * as AxeMath from "./AxeMath.ts"
import * as ColumnRounding from "./ColumnRounding.ts"
import type * as Factor from "./Factor.ts"
import type { Rounding } from "./GptqMath.ts"
import * as Matrix from "./Matrix.ts"
import * as Ptq from "./Ptq.ts"
import * as Unfold from "./Unfold.ts"

export interface Options extends Ptq.Reporting {
  /** whether the layers get quantized inputs, as they will; default: true */
  readonly quantActivations?: boolean
  /** whether the float network of comparison has the weights from before the step; default: true */
  readonly original?: boolean
  /**
   * rounds so that no sum of products of a layer, and its bias, leaves a signed accumulator of this width, whatever its input is (AXE);
   * absent: sums are not looked at
   */
  readonly accumulator?: AxeMath.Accumulator
}

/** What can go wrong, apart from the stream. */
export type StepError =
  | NoCalibrationData
  | NonFiniteActivations
  | SingularHessian
  | ScaleNotFixed
  | AccumulatorUnfit
  | Layer.InputError

/** What columns become that are not what the quantizer made of them anyway: it, where the integers must be the very ones that were counted. */
export const kept = ({ accumulator }: Options): "value" | "rounded" => (accumulator === undefined ? "value" : "rounded")

/** How the inputs of one group lie to each other: sums over all samples, divided by their count. A change may write over them. */
export interface Seen {
  readonly quantized: Matrix.Matrix
  /** `X'^T X`, of the quantized inputs with the float ones; as `quantized` where a step does not ask for it */
  readonly mixed: Matrix.Matrix
}

/** How the weight of one group becomes another one. */
export type Change = (
  about: { readonly name: string; readonly group: number; readonly count: number },
  rounding: Rounding,
  seen: Seen
) => Result.Result<Matrix.Matrix, Factor.NotPositive>

/** A step: how a weight changes, and what it must know for it. */
export interface Step {
  readonly name: string
  readonly change: Change
  /** whether it compares with the float network */
  readonly float: boolean
  /** whether it rounds, for which the scales must be fixed */
  readonly rounds: boolean
  /** whether all layers see the model as it was, in one pass */
  readonly together?: boolean
}

interface Target extends Ptq.Named {
  readonly lie: Unfold.Lie
  readonly form: NonNullable<ReturnType<typeof Unfold.formOf>>
  readonly weight: Ptq.Host
}

/** What was summed up for one layer. */
interface Sums {
  readonly quantized: ReadonlyArray<Matrix.Matrix>
  readonly mixed: ReadonlyArray<Matrix.Matrix>
  readonly count: { samples: number; format: ColumnRounding.Format | undefined }
}

export const targetsOf = (layers: ReadonlyArray<Ptq.Named>): ReadonlyArray<Target> =>
  layers.flatMap(({ name, layer }) => {
    const form = Unfold.formOf(layer)
    const weight = Ptq.hostOf(LeasedRef.current(layer.own).parameters, "weight")
    return form === undefined || weight === undefined || layer.weightQuant === undefined
      ? []
      : [{ name, layer, form, weight, lie: Unfold.lieOf(form, weight.shape) }]
  })

const empty = ({ lie }: Target, float: boolean): Sums => {
  const n = lie.inputs * lie.positions
  const zeros = (): ReadonlyArray<Matrix.Matrix> => Array.from({ length: lie.groups }, () => Matrix.zeros(n, n))
  return { quantized: zeros(), mixed: float ? zeros() : [], count: { samples: 0, format: undefined } }
}

const add = (to: Matrix.Matrix | undefined, a: tf.Tensor2D, b: tf.Tensor2D): void => {
  if (to === undefined) return
  const part = tf.matMul(tf.transpose(a), b).dataSync()
  for (let i = 0; i < part.length; i++) to.data[i] = (to.data[i] as number) + (part[i] as number)
}

/** What runs through layers in one batch: their inputs, call by call. */
const inputsOf = <Out extends Layer.Values>(
  model: Layer.Layer<Layer.Value, Out>,
  cells: ReadonlySet<Cell.Cell>,
  states: Layer.States,
  x: Layer.Value,
  mode: Layer.Mode
): ReadonlyMap<Cell.Cell, ReadonlyArray<Layer.Value>> => {
  const seen = new Map<Cell.Cell, Array<Layer.Value>>()
  const told = Ptq.telling(model, cells, (layer, ...call) => {
    const all = seen.get(layer.own) ?? []
    all.push(Ptq.multiplied(layer, ...call))
    seen.set(layer.own, all)
  })
  told.apply(states, x, mode)
  return seen
}

const formatOf = ({ bitWidth, signed, scale, zeroPoint, float }: QuantTensor.QuantTensor): ColumnRounding.Format => {
  const one = (x: tf.Tensor): number | undefined => (x.size === 1 ? (x.dataSync()[0] as number) : undefined)
  const integers = float === undefined ? { scale: one(scale), zeroPoint: one(zeroPoint) } : {}
  return { bitWidth: bitWidth.dataSync()[0] as number, signed, ...integers }
}

/** Adds one batch to the sums of some layers; synchronous, within a `tf.tidy`. */
const observe = <Out extends Layer.Values>(
  model: Layer.Layer<Layer.Value, Out>,
  batch: Ptq.Batch,
  sums: ReadonlyMap<Target, Sums>,
  overlay: Ptq.Overlay,
  step: Step,
  options: Options
): void => {
  const x = Ptq.inputOf(batch)
  const cells = new Set([...sums.keys()].map(({ layer }) => layer.own))
  const before = Layer.prepare(Layer.read(model), Layer.evaluation)
  const now = Ptq.overlaid(before, overlay)
  const mode =
    options.quantActivations === false ? Layer.without(Layer.evaluation, Layer.activationSlots) : Layer.evaluation
  const quantized = inputsOf(model, cells, now, x, mode)
  const plain = Layer.without(Layer.evaluation)
  const float = step.float ? inputsOf(model, cells, options.original === false ? now : before, x, plain) : undefined
  for (const [{ layer, form, weight }, { quantized: h, mixed: g, count }] of sums)
    (quantized.get(layer.own) ?? []).forEach((input, call) => {
      if (QuantTensor.isQuantTensor(input)) count.format ??= formatOf(input)
      const value = QuantTensor.dequantized(input)
      count.samples += value.shape[0] ?? 1
      const rows = Unfold.inputsOf(form, weight.shape, value)
      const there = float?.get(layer.own)?.[call]
      const others = there && Unfold.inputsOf(form, weight.shape, QuantTensor.dequantized(there))
      rows.forEach((a, group) => {
        add(h[group], a, a)
        if (others !== undefined) add(g[group], a, others[group] as tf.Tensor2D)
      })
    })
}

/** Divides the sums, which are used once, in their place. */
const divided = (a: Matrix.Matrix, by: number): Matrix.Matrix => {
  for (let i = 0; i < a.data.length; i++) a.data[i] = (a.data[i] as number) / by
  return a
}

const isWhole = ({ data }: Matrix.Matrix): boolean => data.every(Number.isFinite)

/** The scales that a layer's weight is rounded with, where its quantizer needs nothing else to have them. */
const roundingScale = (states: Layer.States, { own }: Weighted, { cell }: QuantProxy): Float32Array | undefined => {
  const { quantizer, parameters, memory } = Layer.stateOf(states, cell)
  if (quantizer === undefined || TensorQuantizer.checked(quantizer) !== undefined) return undefined
  const x = Layer.stateOf(states, own).parameters.weight as tf.Tensor
  const [{ scale, preScale = scale }] = quantizer.apply({ parameters, memory, training: false, tracked: [x] }, x)
  return Float32Array.from(preScale.dataSync())
}

/** Whether a weight twice as large would be rounded with other scales. */
const followsWeight = ({ layer, weight }: Target): boolean => {
  const { weightQuant: proxy } = layer
  if (proxy === undefined) return false
  const scaleAt = (factor: number): Float32Array | undefined => {
    const found: { scale?: Float32Array | undefined } = {}
    tf.tidy(() => {
      const data = weight.data.map((value) => factor * value)
      const other = new Map([[layer.own, { weight: { ...weight, data } }]])
      const states = Ptq.overlaid(Layer.prepare(Layer.read(layer), Layer.evaluation), other)
      found.scale = roundingScale(states, layer, proxy)
    })
    return found.scale
  }
  const [before, after] = [scaleAt(1), scaleAt(2)]
  return before !== undefined && !before.every((value, i) => value === after?.[i])
}

/** The new weight of a layer. */
const changed = (
  target: Target,
  { quantized, mixed, count }: Sums,
  step: Step,
  { accumulator }: Options
): Result.Result<Ptq.Host, StepError> => {
  const { name, layer, lie, weight } = target
  if (![...quantized, ...mixed].every(isWhole))
    return Result.fail(new NonFiniteActivations({ step: step.name, layer: name }))
  const { weightQuant: proxy } = layer
  if (proxy === undefined) return Result.succeed(weight)
  const round: ColumnRounding.Rounding = step.rounds
    ? ColumnRounding.of(layer, proxy, lie, weight, count.format)
    : (_, __, values) => values
  const about = { ...target, step: step.name, proxy, format: count.format }
  const grids = accumulator === undefined ? Result.succeed([]) : Accumulation.gridsOf(about, accumulator)
  if (Result.isFailure(grids)) return Result.fail(grids.failure)
  const all = Unfold.matricesOf(lie, weight).map((matrix, group) => {
    const h = divided(quantized[group] as Matrix.Matrix, count.samples)
    const g = mixed[group] === undefined ? h : divided(mixed[group], count.samples)
    const nearest: Rounding = { weight: matrix, quantize: (column, values) => round(group, column, values) }
    const grid = grids.success[group]
    const rounding =
      accumulator === undefined || grid === undefined ? nearest : AxeMath.aware(nearest, accumulator, grid)
    return step.change({ name, group, count: count.samples }, rounding, { quantized: h, mixed: g })
  })
  return Result.mapBoth(Result.all(all), {
    onFailure: ({ row }) => new SingularHessian({ step: step.name, layer: name, row }),
    onSuccess: (matrices) => Unfold.weightOf(lie, weight.shape, matrices)
  })
}

const reasonFor = (target: Target | undefined, { layer }: Ptq.Named): string => {
  if (target !== undefined) return "no batch reached it"
  return layer.weightQuant === undefined
    ? "it has no weight quantizer"
    : "it is no product of its weight with its input (linear, or a convolution that is not transposed)"
}

/** One layer whose scales follow its weight. */
export const moving = (targets: ReadonlyArray<Target>, step: string): ScaleNotFixed | undefined => {
  const target = targets.find(followsWeight)
  if (target === undefined) return undefined
  const quantizer = target.layer.weightQuant?.injector.name || "a weight quantizer"
  return new ScaleNotFixed({ step, layer: target.name, quantizer })
}

/** A step over a model: one pass over the batches for each layer, or one for all. */
export const run =
  <E, R>(batches: Ptq.Batches<E, R>, step: Step, options: Options): Ptq.Step<StepError | E, R> =>
  (model) =>
    Effect.gen(function* () {
      const { name } = step
      const { report } = options
      const layers = Ptq.weighted(model)
      const targets = yield* Effect.sync(() => targetsOf(layers))
      const wrong = step.rounds ? moving(targets, name) : undefined
      if (wrong !== undefined) return yield* wrong
      const overlay = new Map<Cell.Cell, Readonly<Record<string, Ptq.Host>>>()
      const passes = step.together === true ? [targets] : targets.map((target) => [target])
      const seen = { batches: 0 }
      for (const [index, some] of passes.entries()) {
        const sums = new Map(some.map((target) => [target, empty(target, step.float)]))
        const add = (batch: Ptq.Batch) =>
          Layer.attempt(() => {
            tf.tidy(() => observe(model, batch, sums, overlay, step, options))
          })
        seen.batches += yield* Ptq.passed(batches, add, { step: name, pass: index + 1, report })
        for (const [target, sum] of sums) {
          // a layer that the batches never reach keeps its weight
          if (sum.count.samples === 0) continue
          const weight = yield* Effect.flatMap(
            Layer.attempt(() => changed(target, sum, step, options)),
            (result) => Effect.fromResult(result)
          )
          overlay.set(target.layer.own, { weight })
          yield* Ptq.told(options, { _tag: "LayerDone", step: name, layer: target.name })
        }
      }
      const next = yield* Ptq.rewritten(model, overlay)
      const done = targets.filter(({ layer }) => overlay.has(layer.own)).map((target) => target.name)
      const skipped = layers
        .filter((one) => !done.includes(one.name))
        .map((one) => ({
          layer: one.name,
          reason: reasonFor(
            targets.find((t) => t.name === one.name),
            one
          )
        }))
      yield* Ptq.told(options, { _tag: "StepDone", step: name, layers: done, skipped, batches: seen.batches })
      return next
    })
