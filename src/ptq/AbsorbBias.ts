/**
 * Bias absorption over a model: what the channels before a rectifier almost always exceed is moved into the biases after it, so that
 * the values between are smaller.
 *
 * Room: ptq (level 5). Imports: tfjs types, effect, `nn`, `proxy` types, `tensor`, `./ActivationSizes.ts`, `./Channels.ts`,
 * `./MergeLayerNorm.ts`, `./MergeMath.ts`, `./Prepare.ts`, `./Ptq.ts`, `./Regions.ts`. Laws: test/ptq/AbsorbBias.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as Calls from "../nn/Calls.ts"
import type * as Layer from "../nn/Layer.ts"
import type * as Cell from "../proxy/Cell.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import type { NoCalibrationData, NonFiniteActivations, NonFiniteWeights } from "../tensor/StepErrors.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as ActivationSizes from "./ActivationSizes.ts"
import * as Channels from "./Channels.ts"
import { seesAll } from "./MergeLayerNorm.ts"
import * as MergeMath from "./MergeMath.ts"
import * as Prepare from "./Prepare.ts"
import * as Ptq from "./Ptq.ts"
import * as Regions from "./Regions.ts"

export interface Options extends Prepare.Options {
  /**
   * how many standard deviations below the mean of a channel are given up; or "least": the least value of all batches, so that nothing
   * changes for these; default: 3
   */
  readonly deviations?: number | "least"
}

/** What can be wrong, apart from the stream. */
export type AbsorbError =
  | Layer.InputError
  | InvalidOptions
  | NoCalibrationData
  | NonFiniteActivations
  | NonFiniteWeights
  | ResolutionError

const step = "AbsorbBias"

interface Part {
  readonly name: string
  readonly own: Cell.Cell
  readonly form: Channels.Channelled
}

/** A layer, and those that read it behind a rectifier. */
interface Link extends Part {
  readonly sinks: ReadonlyArray<Part>
}

const partOf = (run: Calls.Run, { layer, path }: Calls.Call): Part | undefined => {
  const own = Regions.ownOf(layer)
  return own !== undefined && Channels.isChannelled(layer.form) && Calls.callsOf(run, own).length === 1
    ? { name: path, own, form: layer.form }
    : undefined
}

/** Whether a shift of what a layer reads is the same shift of what it answers. */
const shifts = ({ layer: { form } }: Calls.Call): boolean => {
  switch (form?.op) {
    case "identity":
    case "maxPool":
    case "flatten":
      return true
    case "averagePool":
      return form.pad === "valid" || (form.pad !== "same" && form.pad.every(([a, b]) => a === 0 && b === 0))
    default:
      return false
  }
}

/** The layers behind a value that take a shift over, if all that read it do, and a rectifier stands between. */
const behind = (run: Calls.Run, x: tf.Tensor, isRectified: boolean): ReadonlyArray<Part> | undefined => {
  if (run.outputs.includes(x)) return undefined
  const readers = Calls.readersOf(run, x)
  const [only] = readers
  if (only !== undefined && readers.length === 1 && (shifts(only) || (!isRectified && only.layer.form?.op === "relu")))
    return behind(run, only.outputs[0] as tf.Tensor, isRectified || only.layer.form?.op === "relu")
  const parts = readers.map((reader) => partOf(run, reader))
  return isRectified &&
    parts.every((part) => part !== undefined && Channels.takesInputs(part.form) && seesAll(part.form))
    ? (parts as ReadonlyArray<Part>)
    : undefined
}

const planned = (run: Calls.Run): ReadonlyArray<Link> =>
  run.calls.flatMap((call) => {
    const part = partOf(run, call)
    const [y] = call.outputs
    if (part === undefined || part.form.op === "layerNorm" || y === undefined) return []
    const sinks = behind(run, y, false)
    return sinks === undefined || sinks.length === 0 ? [] : [{ ...part, sinks }]
  })

/** What is taken from each channel. */
const amounts = ({ low, sum, squares, count }: ActivationSizes.Seen, deviations: number | "least"): Float32Array =>
  Float32Array.from(low, (least, c) => {
    if (deviations === "least") return Math.max(0, least)
    const mean = (sum[c] as number) / count
    const variance = Math.max(0, (squares[c] as number) / count - mean * mean)
    return Math.max(0, mean - deviations * Math.sqrt(variance))
  })

const moved = (weights: Prepare.Weights, { own, sinks }: Link, taken: Float32Array): Prepare.Weights => {
  const next = new Map(weights)
  const { bias, ...rest } = next.get(own) as Readonly<Record<string, Ptq.Host>>
  const lower = taken.map((c, i) => (bias?.data[i] ?? 0) - c)
  next.set(own, { ...rest, bias: { shape: [taken.length], data: lower } })
  for (const sink of sinks) {
    const parameters = next.get(sink.own) as unknown as MergeMath.Parameters
    const { count } = Channels.inputsOf(sink.form, parameters.weight.shape)
    // flattened images have their channels again and again
    const shift = Float32Array.from({ length: count }, (_, i) => taken[i % taken.length] as number)
    const { weight, bias: raised } = MergeMath.intoLayerAfter(sink.form, parameters, {
      scale: shift.map(() => 1),
      shift
    })
    next.set(sink.own, { weight, ...(raised && { bias: raised }) })
  }
  return next
}

/**
 * Takes from the bias of each layer before a rectifier what its channels exceed but for rare values, and adds what that was worth to
 * the biases of the layers after it. Equalization makes some biases large; this makes the values that run through small again. What the
 * network computes changes only for values below the amount that is taken.
 *
 * Layers that see zeros around an image cannot take over a shift, and are left out. All quantizers begin anew.
 *
 * - formula:  `c = max(0, mean - 3 deviation)` of a channel before the rectifier; `b <- b - c`, `b_next <- b_next + W_next c`
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NoCalibrationData; NonFiniteActivations and NonFiniteWeights, which name the layer; InvalidOptions; InputError of the
 *   model; the model is never changed
 * - source:   Nagel et al. 2019, arXiv:1906.04721 (section 4.1.3)
 *
 * @category preparing
 * @since 0.4.0
 */
export const absorb =
  <E = never, R = never>(batches: Ptq.Batches<E, R>, options: Options): Ptq.Step<AbsorbError | E, R> =>
  (model) =>
    Effect.gen(function* () {
      const { deviations = 3 } = options
      if (deviations !== "least" && !(deviations >= 0))
        return yield* new InvalidOptions({
          what: step,
          option: "deviations",
          reason: `must be "least" or a number from 0 up; it is ${deviations}`
        })
      const links = yield* Prepare.looking(model, options.input, step, planned)
      const before = yield* Prepare.weightsOf(
        links.flatMap((link) => [link, ...link.sinks]),
        step
      )
      const about = { ...options, step, side: "outputs" } as const
      const { sizes, batches: count } = yield* ActivationSizes.of(model, batches, links, about)
      const weights = links.reduce((now, link) => {
        const seen = sizes.get(link.own)
        return seen === undefined ? now : moved(now, link, amounts(seen, deviations))
      }, before)
      const next = yield* Prepare.rewritten(model, weights, "all")
      const layers = links.map(({ name }) => name)
      yield* Ptq.told(options, { _tag: "StepDone", step, layers, skipped: [], batches: count })
      return next
    })
