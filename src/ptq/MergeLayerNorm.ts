/**
 * The scales and shifts of layer normalizations merged into the layers after them.
 *
 * Room: ptq (level 5). Imports: effect, `nn`, `proxy` types, `tensor`, `./Channels.ts`, `./MergeMath.ts`, `./Prepare.ts`, `./Ptq.ts`,
 * `./Regions.ts`. Laws: test/ptq/Prepare.test.ts.
 */
import { Effect } from "effect"
import * as Calls from "../nn/Calls.ts"
import type * as Layer from "../nn/Layer.ts"
import type * as Cell from "../proxy/Cell.ts"
import type { NonFiniteWeights } from "../tensor/StepErrors.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Channels from "./Channels.ts"
import * as MergeMath from "./MergeMath.ts"
import * as Prepare from "./Prepare.ts"
import type * as Ptq from "./Ptq.ts"
import * as Regions from "./Regions.ts"

/** What can be wrong. */
export type MergeError = Layer.InputError | NonFiniteWeights | ResolutionError

const step = "MergeLayerNorm"

interface Reader {
  readonly name: string
  readonly own: Cell.Cell
  readonly form: Channels.Channelled
}

interface Merge {
  readonly name: string
  readonly own: Cell.Cell
  readonly into: ReadonlyArray<Reader>
}

/** Whether every output sees every input, so that a shift of the inputs is one of the outputs. */
export const seesAll = (form: Channels.Channelled): boolean => {
  if (form.op === "linear" || form.op === "scaleBias") return true
  if (form.op !== "conv") return false
  const { pad } = form
  return pad === "valid" || (pad !== "same" && pad.every(([before, after]) => before === 0 && after === 0))
}

/** The layers that read what a normalization answers, also through identities, or why one of them cannot take its scale over. */
const after = (run: Calls.Run, call: Calls.Call, isShifted: boolean): ReadonlyArray<Reader> | string => {
  const [y] = call.outputs
  if (y === undefined || run.outputs.includes(y)) return "the model answers its values"
  const found = Calls.readersOf(run, y).map((reader): ReadonlyArray<Reader> | string => {
    const { layer, path: name } = reader
    const own = Regions.ownOf(layer)
    if (layer.form?.op === "identity") return after(run, reader, isShifted)
    if (own === undefined || !Channels.isChannelled(layer.form) || !Channels.takesInputs(layer.form))
      return `${name} reads it, which is no product with a weight`
    if (Calls.callsOf(run, own).length > 1) return `${name} is called several times`
    return isShifted && !seesAll(layer.form)
      ? `${name} reads zeros around its input, which the bias does not shift`
      : [{ name, own, form: layer.form }]
  })
  const wrong = found.find((one): one is string => typeof one === "string")
  return wrong ?? (found as ReadonlyArray<ReadonlyArray<Reader>>).flat()
}

const planned = (run: Calls.Run): { readonly merges: ReadonlyArray<Merge>; readonly skipped: Array<Ptq.Skipped> } => {
  const merges: Array<Merge> = []
  const skipped: Array<Ptq.Skipped> = []
  for (const call of run.calls) {
    const own = Regions.ownOf(call.layer)
    if (call.layer.form?.op !== "layerNorm" || own === undefined) continue
    const bias = call.states.get(own)?.parameters.bias as { dataSync: () => Float32Array } | undefined
    const isShifted = bias?.dataSync().some((value) => value !== 0) === true
    const into = Calls.callsOf(run, own).length > 1 ? "it is called several times" : after(run, call, isShifted)
    if (typeof into === "string") skipped.push({ layer: call.path, reason: into })
    else merges.push({ name: call.path, own, into })
  }
  return { merges, skipped }
}

const merged = (weights: Prepare.Weights, merges: ReadonlyArray<Merge>): Prepare.Weights => {
  const next = new Map<Cell.Cell, Readonly<Record<string, Ptq.Host>>>()
  for (const { own, into } of merges) {
    const { weight, bias } = weights.get(own) as { weight: Ptq.Host; bias?: Ptq.Host }
    const affine = { scale: weight.data, shift: bias?.data ?? weight.data.map(() => 0) }
    for (const { own: reader, form } of into) {
      const parameters = weights.get(reader) as unknown as MergeMath.Parameters
      const { weight: scaled, bias: shifted } = MergeMath.intoLayerAfter(form, parameters, affine)
      next.set(reader, { weight: scaled, ...(shifted && { bias: shifted }) })
    }
    next.set(own, {
      weight: { ...weight, data: weight.data.map(() => 1) },
      ...(bias && { bias: { ...bias, data: bias.data.map(() => 0) } })
    })
  }
  return next
}

/**
 * Merges the scale and shift of each layer normalization into the layers that read it, so that the normalization itself is left
 * without any: a rotation can then pass it (`Rotate.rotate`), and its scales no longer spread what is quantized. The float network
 * computes the same.
 *
 * - formula:  `b_o <- b_o + sum_i W_io bias_i`, `W_i <- W_i weight_i`, then `weight = 1`, `bias = 0`
 * - shapes:   `input [n, ...d]`
 * - gradient: none
 * - errors:   NonFiniteWeights, which names the layer; InputError of the model; the model is never changed
 * - source:   Ashkboos et al. 2024, arXiv:2404.00456 (section 3); Brevitas, graph/equalize.py (MergeLnAffine)
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
        merges.flatMap((one) => [one, ...one.into]),
        step
      )
      const next = yield* Prepare.rewritten(model, merged(weights, merges), "changed")
      yield* Prepare.done(
        options,
        step,
        merges.map(({ name }) => name),
        skipped
      )
      return next
    })
