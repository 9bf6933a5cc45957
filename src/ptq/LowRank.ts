/**
 * Low-rank error correction (SVDQuant): beside each linear layer a narrow branch of two layers, which takes what is hard to quantize.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `inject`, `nn`, `proxy`, `tensor`, `./LowRankMath.ts`, `./Matrix.ts`, `./Ptq.ts`.
 * Laws: test/ptq/LowRank.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, MutableRef, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import type * as Injector from "../inject/Injector.ts"
import * as Fork from "../nn/Fork.ts"
import type * as Layer from "../nn/Layer.ts"
import * as Weighted from "../nn/Weighted.ts"
import type * as Cell from "../proxy/Cell.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import { nearest } from "../tensor/Nearest.ts"
import type { UnknownSign } from "../tensor/QuantTensorErrors.ts"
import * as Random from "../tensor/Random.ts"
import { NonFiniteWeights, UnknownLayer } from "../tensor/StepErrors.ts"
import * as Beside from "./Beside.ts"
import * as Change from "./Change.ts"
import * as LowRankMath from "./LowRankMath.ts"
import * as Matrix from "./Matrix.ts"
import * as Ptq from "./Ptq.ts"

export interface Options extends Ptq.Reporting {
  /** how wide the branches are */
  readonly rank: number
  /** how often the branch takes over what the quantization of the rest has lost; the best counts; default: 1 */
  readonly iterations?: number
  /** the layers that get a branch, by their paths; absent: all linear ones with a weight quantizer */
  readonly layers?: ReadonlyArray<string>
  /** quantizes the weights of the branches; default: none */
  readonly branchQuant?: Injector.Any
  /** where the search for the largest singular values begins, for large layers; default: 0 */
  readonly seed?: number
}

/** What can be wrong. */
export type LowRankError = Layer.BuildError | UnknownLayer | NonFiniteWeights | UnknownSign | Layer.InputError

const step = "LowRank"

interface Target extends Ptq.Named {
  readonly weight: Matrix.Matrix
}

/** What a layer becomes. */
interface Corrected extends Ptq.Named {
  readonly rest: Matrix.Matrix
  readonly branch: LowRankMath.Branch
}

// ---- which layers -------------------------------------------------------------------------------------------

/** Why a layer gets no branch. */
const reasonAgainst = (model: Ptq.Model, { name, layer }: Ptq.Named): string | undefined => {
  if (name === "")
    return "it is the whole model, which would become another kind of layer; put it into a Model.sequential"
  if (layer.form?.op !== "linear") return "it is not linear"
  if (layer.weightQuant === undefined) return "it has no weight quantizer"
  if (layer.outputQuant !== undefined) return "it quantizes its output, to which the branch would be added"
  const shared = MutableRef.get(layer.weightQuant.modules).length > 1
  const twice = model.cells.filter(([, cell]) => cell === layer.own).length > 1
  return shared || twice ? "it shares its weight or its quantizer with another layer" : undefined
}

const targetOf = ({ name, layer }: Ptq.Named): Target => {
  const host = Ptq.hostOf(LeasedRef.current(layer.own).parameters, "weight") as Ptq.Host
  const [rows, columns] = host.shape as readonly [number, number]
  return { name, layer, weight: Matrix.make(rows, columns, host.data) }
}

const chosen = (
  model: Ptq.Model,
  { layers }: Options
): Effect.Effect<
  { readonly targets: ReadonlyArray<Target>; readonly skipped: ReadonlyArray<Ptq.Skipped> },
  UnknownLayer
> =>
  Effect.suspend(() => {
    const all = Ptq.weighted(model)
    const known = all.map(({ name }) => name)
    const unknown = layers?.find((name) => !known.includes(name))
    if (unknown !== undefined)
      return Effect.fail(new UnknownLayer({ step, layer: unknown, known, nearest: nearest(unknown, known) }))
    const against = (one: Ptq.Named): string | undefined =>
      layers?.includes(one.name) === false ? "it was not asked for" : reasonAgainst(model, one)
    return Effect.succeed({
      targets: all.filter((one) => against(one) === undefined).map(targetOf),
      skipped: all.flatMap((one) => {
        const reason = against(one)
        return reason === undefined ? [] : [{ layer: one.name, reason }]
      })
    })
  })

/** What is wrong with a layer, or with what is asked of it. */
const refusal = (
  { name, weight }: Target,
  { rank, iterations = 1 }: Options
): InvalidOptions | NonFiniteWeights | undefined => {
  const most = Math.min(weight.rows, weight.columns)
  const wrong = (option: string, reason: string): InvalidOptions =>
    new InvalidOptions({ what: step, option, reason, layer: name })
  if (!(Number.isInteger(rank) && rank >= 1 && rank <= most))
    return wrong(
      "rank",
      `must be a whole number from 1 to ${most}, since the weight is [${weight.rows}, ${weight.columns}]; it is ${rank}`
    )
  if (!(Number.isInteger(iterations) && iterations >= 1))
    return wrong("iterations", `must be a whole number above 0; it is ${iterations}`)
  return weight.data.every(Number.isFinite) ? undefined : new NonFiniteWeights({ step, layer: name })
}

// ---- branches -----------------------------------------------------------------------------------------------

const tensorOf = ({ rows, columns, data }: Matrix.Matrix): tf.Tensor2D =>
  tf.tensor2d(Float32Array.from(data), [rows, columns])

/** A layer or model whose weights are these, and whose quantizers begin anew for them. */
const withWeights = <M extends Layer.Stateful>(
  model: M,
  weights: ReadonlyMap<Cell.Cell, Matrix.Matrix>,
  quantizers: ReadonlySet<Cell.Cell>
): Effect.Effect<M, Layer.BuildError, Scope.Scope> =>
  Fork.requantized(
    model,
    (_, { cell, injector }) => (quantizers.has(cell) ? injector : undefined),
    (cell, { parameters, memory }) => {
      const weight = weights.get(cell)
      return weight && { memory, parameters: { ...parameters, weight: tensorOf(weight) } }
    }
  )

/** What the quantizer of a layer makes of another weight, for which it begins anew. */
const quantizedAs = ({ layer }: Target, weight: Matrix.Matrix): Effect.Effect<Matrix.Matrix, LowRankError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const proxy = layer.weightQuant as NonNullable<typeof layer.weightQuant>
      const other = yield* withWeights(layer, new Map([[layer.own, weight]]), new Set([proxy.cell]))
      const quantized = yield* Weighted.quantWeight(other)
      const answer = Matrix.make(weight.rows, weight.columns, QuantTensor.dequantized(quantized).dataSync())
      QuantTensor.dispose(quantized)
      return answer
    })
  )

/** The branch of a layer and what remains, of the iteration with the smallest error. */
const corrected = (
  target: Target,
  { rank, iterations = 1, seed = 0 }: Options
): Effect.Effect<Corrected, LowRankError> =>
  Effect.gen(function* () {
    const { name, layer, weight } = target
    const random = Random.split(Random.make(seed), name)
    let [best, least, next] = [undefined as Corrected | undefined, Number.POSITIVE_INFINITY, weight]
    for (let i = 0; i < iterations; i++) {
      const from = next
      const branch = yield* Effect.sync(() => LowRankMath.branchOf(from, rank, random))
      const rest = LowRankMath.restOf(weight, branch)
      const quantized = yield* quantizedAs(target, rest)
      const error = LowRankMath.relativeNorm(LowRankMath.difference(rest, quantized), weight)
      if (error < least) [best, least] = [{ name, layer, rest, branch }, error]
      next = LowRankMath.difference(weight, quantized)
      yield* Effect.yieldNow
    }
    return best ?? { name, layer, rest: weight, branch: LowRankMath.branchOf(weight, rank, random) }
  })

/** The layer beside its branch. */
const beside = (layer: Weighted.Weighted, { down, up }: LowRankMath.Branch, quant: Injector.Any | undefined) =>
  Effect.gen(function* () {
    const [narrow, wide] = [yield* Beside.product(down, quant), yield* Beside.product(up, quant)]
    return Beside.branch(narrow, wide, yield* Beside.sum)(layer)
  })

/**
 * Puts a branch of low rank beside linear layers: it takes the largest singular values of the weight, and what remains, which is smaller,
 * is quantized in its place by a quantizer that begins anew. In the place of a layer `fc` stands a model of `fc.layer`, `fc.down`, `fc.up`
 * and their sum; steps that round may follow. It looks at no data.
 *
 * - formula:  `y = x Q(W - D U) + x D U + b`, `D U` the nearest matrix of this rank to W, or, from the second iteration on, to what the
 *   quantization of the rest before has lost
 * - shapes:   `W [in, out], D [in, rank], U [rank, out]`
 * - gradient: none
 * - errors:   InvalidOptions for a rank beyond the weight's, which names the layer; UnknownLayer; NonFiniteWeights; those of a resolution;
 *   the model is never changed
 * - source:   Li et al. 2024, arXiv:2411.05007; Brevitas, examples/common/svd_quant.py
 *
 * @category correcting
 * @since 0.4.0
 */
export const correct =
  (options: Options): Ptq.Step<LowRankError> =>
  (model) =>
    Effect.gen(function* () {
      const { targets, skipped } = yield* chosen(model, options)
      const wrong = targets.map((target) => refusal(target, options)).find((one) => one !== undefined)
      if (wrong !== undefined) return yield* wrong
      const done: Array<Corrected> = []
      for (const target of targets) {
        done.push(yield* corrected(target, options))
        yield* Ptq.told(options, { _tag: "LayerDone", step, layer: target.name })
      }
      const weights = new Map(done.map(({ layer, rest }) => [layer.own, rest]))
      const quantizers = new Set(done.flatMap(({ layer }) => (layer.weightQuant ? [layer.weightQuant.cell] : [])))
      const fork = yield* withWeights(model, weights, quantizers)
      const rewritten = new Map(Ptq.weighted(fork).map(({ name, layer }) => [name, layer]))
      const branches = new Map<string, Layer.Stateful>()
      for (const { name, branch } of done) {
        const layer = rewritten.get(name)
        if (layer !== undefined) branches.set(name, yield* beside(layer, branch, options.branchQuant))
      }
      const next = Ptq.replacing(fork, (_, path) => branches.get(path))
      const layers = done.map(({ name }) => name)
      const changes = Change.placed(
        "branch",
        layers.map((name) => [name])
      )
      yield* Ptq.told(options, { _tag: "StepDone", step, layers, skipped, batches: 0, changes })
      return next
    })
