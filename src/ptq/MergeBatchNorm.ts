/**
 * Batch normalizations of a model merged into the layers before them.
 *
 * Room: ptq (level 5). Imports: effect, `nn`, `proxy` types, `tensor`, `./Change.ts`, `./Channels.ts`, `./MergeMath.ts`, `./Prepare.ts`, `./Ptq.ts`,
 * `./Regions.ts`. Laws: test/ptq/Prepare.test.ts.
 */
import { Effect } from "effect"
import * as Calls from "../nn/Calls.ts"
import type * as Layer from "../nn/Layer.ts"
import * as Model from "../nn/Model.ts"
import type * as Cell from "../proxy/Cell.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import type { NonFiniteWeights } from "../tensor/StepErrors.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Change from "./Change.ts"
import * as Channels from "./Channels.ts"
import * as MergeMath from "./MergeMath.ts"
import * as Prepare from "./Prepare.ts"
import * as Ptq from "./Ptq.ts"
import * as Regions from "./Regions.ts"

/** What can be wrong. */
export type MergeError = Layer.InputError | NonFiniteWeights | ResolutionError

const step = "MergeBatchNorm"

/** A layer and its own cell. */
interface Owner {
  readonly name: string
  readonly own: Cell.Cell
  readonly form: Channels.Channelled
}

/** A normalization, and what does its work from now on. */
interface Merge {
  readonly norm: Owner
  readonly into: Owner
}

const ownerOf = (call: Calls.Call | undefined): Owner | undefined => {
  const own = call && Regions.ownOf(call.layer)
  const form = call?.layer.form
  return call === undefined || own === undefined || !Channels.isChannelled(form)
    ? undefined
    : { name: call.path, own, form }
}

/** Why a normalization stays, or the layer that answers what it reads. */
const before = (run: Calls.Run, call: Calls.Call, { own }: Owner): Owner | string => {
  const [x] = call.inputs
  const maker = Calls.makerOf(run, x)
  const into = ownerOf(maker)
  if (x === undefined || into === undefined) return "no layer with channels comes right before it"
  if (Calls.readersOf(run, x).length > 1 || run.outputs.includes(x)) return `others read what ${into.name} answers, too`
  return [own, into.own].every((cell) => Calls.callsOf(run, cell).length === 1)
    ? into
    : `it or ${into.name} is called several times`
}

/** What is merged into what, in the order of the calls. */
const planned = (run: Calls.Run): { readonly merges: ReadonlyArray<Merge>; readonly skipped: Array<Ptq.Skipped> } => {
  const merges: Array<Merge> = []
  const skipped: Array<Ptq.Skipped> = []
  for (const call of run.calls) {
    const norm = ownerOf(call)
    if (norm?.form.op !== "batchNorm") continue
    const into = before(run, call, norm)
    if (typeof into === "string") skipped.push({ layer: call.path, reason: into })
    else merges.push({ norm, into: merges.find((done) => done.norm.own === into.own)?.into ?? into })
  }
  return { merges, skipped }
}

const affineOf = (weights: Prepare.Weights, { own, form }: Owner): MergeMath.Affine => {
  const { memory } = LeasedRef.current(own)
  const mean = Ptq.hostOf(memory as never, "runningMean") as Ptq.Host
  const variance = Ptq.hostOf(memory as never, "runningVar") as Ptq.Host
  const { weight, bias } = weights.get(own) as { weight: Ptq.Host; bias: Ptq.Host }
  const statistics = { weight: weight.data, bias: bias.data, mean: mean.data, variance: variance.data }
  return MergeMath.affineOf(statistics, form.op === "batchNorm" ? form.epsilon : 0)
}

/** The weights of the layers that take over the work. */
const merged = (weights: Prepare.Weights, merges: ReadonlyArray<Merge>): Prepare.Weights => {
  const next = new Map<Cell.Cell, Readonly<Record<string, Ptq.Host>>>()
  for (const { norm, into } of merges) {
    const parameters = (next.get(into.own) ?? weights.get(into.own)) as unknown as MergeMath.Parameters
    next.set(into.own, { ...MergeMath.intoLayerBefore(into.form, parameters, affineOf(weights, norm)) })
  }
  return next
}

/**
 * Merges every batch normalization over channels into the layer right before it: a linear layer, a convolution, transposed or not, in
 * groups or not, a scale and bias, or another normalization. In the place of each stands an identity without state, under its name.
 * The float network computes the same in evaluation.
 *
 * One stays where others read the same value, or where a layer is called several times; the report says so. The quantizers of the
 * layers that change begin anew, all others go on.
 *
 * - formula:  `W_c <- W_c f_c`, `b_c <- b_c f_c + bias_c - mean_c f_c` with `f = weight / sqrt(variance + eps)`; a missing b counts as 0
 * - shapes:   `input [n, ...d]`
 * - gradient: none
 * - errors:   NonFiniteWeights, which names the layer; InputError of the model; the model is never changed
 * - source:   Jacob et al. 2018, arXiv:1712.05877; Brevitas, graph/fixed_point.py (MergeBatchNorm)
 *
 * @category preparing
 * @since 0.4.0
 */
export const merge =
  (options: Prepare.Options): Ptq.Step<MergeError> =>
  (model) =>
    Effect.gen(function* () {
      const { merges, skipped } = yield* Prepare.looking(model, options.input, step, planned)
      const weights = yield* Prepare.weightsOf(
        merges.flatMap(({ norm, into }) => [norm, into]),
        step
      )
      const gone = new Set(merges.map(({ norm }) => norm.own))
      const rest = Prepare.replacing(model, (layer) => {
        const own = Regions.ownOf(layer)
        return own !== undefined && gone.has(own) ? Model.identity : layer
      })
      const next = yield* Prepare.rewritten(rest, merged(weights, merges), "changed")
      yield* Prepare.done(
        options,
        step,
        merges.map(({ norm }) => norm.name),
        skipped,
        Change.placed(
          "identity",
          [...gone].map((own) => Prepare.placesOf(model, own))
        )
      )
      return next
    })
