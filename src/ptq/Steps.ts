/**
 * The steps that recipes may name, each with the schema of its options: one line for each step.
 *
 * Room: ptq (level 5). Imports: effect, `nn`, `tensor`, the steps of its room. Laws: test/ptq/Recipe.test.ts.
 */
import { Effect, Option, Schema, Stream } from "effect"
import * as Fork from "../nn/Fork.ts"
import * as Layer from "../nn/Layer.ts"
import { NoCalibrationData } from "../tensor/StepErrors.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as AbsorbBias from "./AbsorbBias.ts"
import * as ActivationEqualize from "./ActivationEqualize.ts"
import * as Allocate from "./Allocate.ts"
import * as BiasCorrection from "./BiasCorrection.ts"
import * as Calibrate from "./Calibrate.ts"
import * as ClipWeights from "./ClipWeights.ts"
import * as Declared from "./Declared.ts"
import * as Equalize from "./Equalize.ts"
import * as Gpfq from "./Gpfq.ts"
import * as Gptq from "./Gptq.ts"
import * as LowRank from "./LowRank.ts"
import * as Magr from "./Magr.ts"
import * as MergeBatchNorm from "./MergeBatchNorm.ts"
import * as MergeLayerNorm from "./MergeLayerNorm.ts"
import * as MixedPrecision from "./MixedPrecision.ts"
import * as NormCorrection from "./NormCorrection.ts"
import * as Pattern from "./Pattern.ts"
import type * as Ptq from "./Ptq.ts"
import * as Qronos from "./Qronos.ts"
import * as Rotate from "./Rotate.ts"
import * as RoundLearning from "./RoundLearning.ts"
import * as SplitChannels from "./SplitChannels.ts"
import { type Context, type Entry, entry, type StepError } from "./StepEntry.ts"

export type { Context, Entry, Kind, StepError, Wrong } from "./StepEntry.ts"

// ---- options ------------------------------------------------------------------------------------------------

const optional = Schema.optionalKey
const flag = optional(Schema.Boolean)
const positive = optional(Schema.Finite.check(Schema.isGreaterThan(0)))
const whole = optional(Schema.Int.check(Schema.isGreaterThan(0)))
const damping = optional(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)))
const network = { quantActivations: flag }
const paths = Schema.Array(Schema.NonEmptyString)
const accumulator = optional(Schema.Struct({ bitWidth: Schema.Int.check(Schema.isGreaterThan(0)), tile: whole }))
const bits = Schema.Finite.check(Schema.isGreaterThan(0))
const of = Schema.Literals(["size", "operations"])
const budget = Schema.Union([Schema.Struct({ of, most: bits }), Schema.Struct({ of, mean: bits })])
/** Weight quantizers to choose from, all of them in the catalogue. */
const candidates = Schema.Array(Declared.Declared).check(
  Schema.makeFilter((given: ReadonlyArray<Declared.Declared>) => MixedPrecision.wrongIn(given)?.message ?? true)
)
const learning = {
  blocks: optional(Schema.Union([Schema.Literals(["layers", "children"]), paths])),
  iterations: whole,
  batchSize: whole,
  best: flag,
  seed: optional(Schema.Int),
  ...network
}

// ---- the registry -------------------------------------------------------------------------------------------

/** Lets the quantizers of weights and biases with these names begin anew, for the weights as they are. */
const reinitialized =
  (match: string): Ptq.Step<ResolutionError> =>
  (model) =>
    Fork.requantized(model, (name, proxy) =>
      Layer.parameterSlots.includes(proxy.slot) && Pattern.fits(match, name) ? proxy.injector : undefined
    )

/** A step that wants an example of the input: the first batch. */
const withExample =
  <E, R>(
    step: string,
    { batches }: Context<E, R>,
    make: (input: Ptq.Batch) => Ptq.Step<StepError | E, R>
  ): Ptq.Step<StepError | E, R> =>
  (model) =>
    Effect.flatMap(
      Stream.runHead(batches),
      Option.match({
        onNone: () => Effect.fail(new NoCalibrationData({ step })),
        onSome: (input) => make(input)(model)
      })
    )

export const all: Readonly<Record<string, Entry>> = {
  calibrate: entry("observing", "activation quantizers learn from the float network", {}, (_, { batches, report }) =>
    Calibrate.calibrate(batches, { report })
  ),
  reinitialize: entry(
    "preparing",
    "quantizers of weights and biases begin anew, for the weights as they are",
    { match: optional(Schema.NonEmptyString) },
    ({ match = "*" }) => reinitialized(match)
  ),
  mergeBatchNorm: entry("preparing", "batch normalizations become part of the layers before them", {}, (_, context) =>
    withExample("MergeBatchNorm", context, (input) => MergeBatchNorm.merge({ input, report: context.report }))
  ),
  mergeLayerNorm: entry(
    "preparing",
    "scales of layer normalizations become part of the layers behind them",
    {},
    (_, context) =>
      withExample("MergeLayerNorm", context, (input) => MergeLayerNorm.merge({ input, report: context.report }))
  ),
  equalize: entry(
    "preparing",
    "channels between layers get sizes that suit one scale",
    {
      iterations: whole,
      threshold: damping,
      mergeBias: flag,
      measure: optional(Schema.Literals(["maxabs", "range", "l2"]))
    },
    (options, context) =>
      withExample("Equalize", context, (input) => Equalize.equalize({ ...options, input, report: context.report }))
  ),
  activationEqualize: entry(
    "preparing",
    "channels of activations get sizes that suit one scale; the weights behind them take the rest (SmoothQuant)",
    { alpha: damping, insert: flag, coOptimize: flag },
    (options, context) => {
      const { batches, report } = context
      return withExample("ActivationEqualize", context, (input) =>
        ActivationEqualize.equalize(batches, { ...options, input, report })
      )
    }
  ),
  activationEqualizeLayerwise: entry(
    "preparing",
    "channels of activations are scaled before each layer, to sizes that suit one scale; the weights take the rest",
    { alpha: damping, measure: optional(Schema.Literals(["maxabs", "range", "l2"])), skip: optional(paths) },
    (options, { batches, report }) => ActivationEqualize.layerwise(batches, { ...options, report })
  ),
  splitChannels: entry(
    "preparing",
    "channels with the largest weights are split in two",
    { ratio: positive, inputs: flag },
    (options, context) =>
      withExample("SplitChannels", context, (input) =>
        SplitChannels.splitChannels({ ...options, input, report: context.report })
      )
  ),
  absorbBias: entry(
    "preparing",
    "what a rectifier always lets through goes into the biases behind it",
    { deviations: optional(Schema.Union([Schema.Literal("least"), Schema.Finite])) },
    (options, context) =>
      withExample("AbsorbBias", context, (input) =>
        AbsorbBias.absorb(context.batches, { ...options, input, report: context.report })
      )
  ),
  rotate: entry(
    "preparing",
    "channels between linear layers are mixed, so that outliers spread; the weights on both sides take it up",
    { kind: optional(Schema.Literals(["hadamard", "orthogonal"])), seed: optional(Schema.Int) },
    (options, context) =>
      withExample("Rotate", context, (input) => Rotate.rotate({ ...options, input, report: context.report }))
  ),
  mixedPrecision: entry(
    "preparing",
    "each layer gets that of several weight quantizers by which the network loses least within a budget of bits",
    { candidates, budget, search: optional(Schema.Literals(["exact", "greedy"])) },
    (options, { batches, report }) => Allocate.allocate(batches, { ...options, report })
  ),
  rotateOnline: entry(
    "preparing",
    "channels are mixed before some layers as the network runs; the weights of these take it up",
    {
      layers: Schema.NonEmptyArray(Schema.NonEmptyString),
      kind: optional(Schema.Literals(["hadamard", "orthogonal"])),
      seed: optional(Schema.Int)
    },
    (options, { report }) => Rotate.online({ ...options, report })
  ),
  clipWeights: entry(
    "preparing",
    "far outliers of weights are clipped",
    { threshold: positive },
    (options, { report }) => ClipWeights.clip({ ...options, report })
  ),
  normCorrection: entry(
    "correcting",
    "batch normalizations follow the quantized network",
    {},
    (_, { batches, report }) => NormCorrection.correct(batches, { report })
  ),
  batchNorm: entry(
    "correcting",
    "running statistics of batch normalizations become those of the batches",
    { quantized: flag },
    (options, { batches, report }) => NormCorrection.reestimate(batches, { ...options, report })
  ),
  magr: entry(
    "preparing",
    "shrinks the largest magnitudes of weights",
    { alpha: positive, steps: whole, ...network },
    (options, { batches, report }) => Magr.magr(batches, { ...options, report })
  ),
  gptq: entry(
    "rounding",
    "rounds weights, each error spread over the columns to come",
    { actOrder: flag, blocks: whole, damping, accumulator, ...network },
    (options, { batches, report }) => Gptq.gptq(batches, { ...options, report })
  ),
  gpfq: entry(
    "rounding",
    "rounds weights column by column against the float network's outputs",
    { actOrder: flag, original: flag, accumulator, ...network },
    (options, { batches, report }) => Gpfq.gpfq(batches, { ...options, report })
  ),
  qronos: entry(
    "rounding",
    "rounds weights, the errors of the inputs corrected first",
    { actOrder: flag, blocks: whole, damping, original: flag, accumulator, ...network },
    (options, { batches, report }) => Qronos.qronos(batches, { ...options, report })
  ),
  adaRound: entry(
    "rounding",
    "learns for each weight whether it rounds up or down",
    learning,
    (options, { batches, report }) => RoundLearning.adaRound(batches, { ...options, report })
  ),
  autoRound: entry(
    "rounding",
    "learns offsets of the weights before they are rounded, by signed gradients",
    learning,
    (options, { batches, report }) => RoundLearning.autoRound(batches, { ...options, report })
  ),
  lowRank: entry(
    "preparing",
    "linear layers get a narrow branch beside them that adds what their quantization has lost (SVDQuant)",
    {
      rank: Schema.Int.check(Schema.isGreaterThan(0)),
      iterations: whole,
      layers: optional(paths),
      seed: optional(Schema.Int)
    },
    (options, { report }) => LowRank.correct({ ...options, report })
  ),
  biasCorrection: entry(
    "correcting",
    "biases take back what quantization shifts outputs by",
    { create: flag },
    (options, { batches, report }) => BiasCorrection.correct(batches, { ...options, report })
  )
}

export const names: ReadonlyArray<string> = Object.keys(all)
