/**
 * Learned rounding over a model: for each weight, up or down is what brings the outputs near those of the float network.
 *
 * AdaRound and AutoRound are two settings of one step: which function of a learned parameter rounds, by which loss and optimiser it is
 * learned, and whether the last or the best parameters count. Layers learn one after the other, or together with those of their block.
 *
 * Room: ptq (level 5). Imports: effect, `core`, `nn`, `tensor`, and its own room. Laws: test/ptq/RoundLearning.test.ts.
 */
import { Effect } from "effect"
import * as LearningRate from "../core/LearningRate.ts"
import * as Optimizer from "../core/Optimizer.ts"
import * as Layer from "../nn/Layer.ts"
import * as Random from "../tensor/Random.ts"
import type {
  LearningDiverged,
  NoCalibrationData,
  NonFiniteActivations,
  ScaleNotFixed,
  UnknownLayer
} from "../tensor/StepErrors.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Layerwise from "./Layerwise.ts"
import * as Learn from "./Learn.ts"
import * as LearnedQuantizers from "./LearnedQuantizers.ts"
import * as LearnedWeights from "./LearnedWeights.ts"
import * as LearningBlocks from "./LearningBlocks.ts"
import * as Ptq from "./Ptq.ts"
import * as RoundLearningMath from "./RoundLearningMath.ts"
import * as Samples from "./Samples.ts"

export interface Options extends Ptq.Reporting {
  /** what learns together: each layer alone, what stands at the top of the model, or layers and models by their paths, in this order */
  readonly blocks?: LearningBlocks.Blocks
  /** of each block */
  readonly iterations?: number
  /** samples of an iteration, rows of the block's input; default: 32 */
  readonly batchSize?: number
  readonly optimizer?: Optimizer.Optimizer
  /** learns the scales, too, where they are parameters; absent: they stay */
  readonly scales?: Optimizer.Optimizer
  readonly loss?: RoundLearningMath.Loss
  /** whether the parameters with the lowest loss count, instead of the last ones */
  readonly best?: boolean
  /**
   * what the answer has: float weights whose quantization is the result, with the quantizers of the model; or the float weights as they
   * were, with quantizers that round as was learned; default: "weights"
   */
  readonly keep?: "weights" | "quantizers"
  /** whether the layers get quantized inputs, as they will; default: true */
  readonly quantActivations?: boolean
  /** which samples come when; default: 0 */
  readonly seed?: number
}

/** What can go wrong, apart from the stream. */
export type LearnError =
  | NoCalibrationData
  | NonFiniteActivations
  | ScaleNotFixed
  | UnknownLayer
  | LearningDiverged
  | ResolutionError
  | Layer.InputError

/** One way to learn: what `Options` leaves open. */
interface Setting {
  readonly step: string
  readonly kind: LearnedQuantizers.Kind
  readonly iterations: number
  readonly optimizer: Optimizer.Optimizer
  readonly loss: RoundLearningMath.Loss
  readonly best: boolean
}

// ---- the step -----------------------------------------------------------------------------------------------

const learn =
  <E, R>(
    batches: Ptq.Batches<E, R>,
    options: Options & { readonly iterations?: number },
    setting: Setting
  ): Ptq.Step<LearnError | E, R> =>
  <M extends Ptq.Model>(model: M) => {
    const { step, kind } = setting
    const { report, keep = "weights" } = options
    const iterations = options.iterations ?? setting.iterations
    const random = Random.make(options.seed ?? 0)
    const mode =
      options.quantActivations === false ? Layer.without(Layer.evaluation, Layer.activationSlots) : Layer.evaluation
    const learned = Effect.gen(function* () {
      const learning = yield* LearnedQuantizers.make(model, kind)
      const blocks = yield* LearningBlocks.blocksOf(learning.model, learning.targets, options.blocks, step)
      const seen = { batches: 0 }
      for (const [index, { path, layer, targets }] of blocks.entries()) {
        const models = { quantized: learning.model as Ptq.Model, float: model }
        yield* Effect.scoped(
          Effect.gen(function* () {
            const about = { step, pass: index + 1, mode, report }
            const collected = yield* Samples.collect(models, path, batches, about)
            seen.batches += collected.batches
            // a block that the batches never reach keeps its weights to nearest
            if (collected.samples.length === 0) return
            yield* Learn.run({
              step,
              name: path,
              layer,
              targets,
              samples: collected.samples,
              kind,
              mode,
              iterations,
              batchSize: options.batchSize ?? 32,
              optimizer: options.optimizer ?? setting.optimizer,
              scales: options.scales,
              loss: options.loss ?? setting.loss,
              best: options.best ?? setting.best,
              random: Random.split(random, path),
              report
            })
          })
        )
        yield* Ptq.told(options, { _tag: "LayerDone", step, layer: path })
      }
      const done = blocks.flatMap(({ targets }) => targets)
      const rest = learning.targets
        .filter((target) => !done.includes(target))
        .map(({ name }) => ({ layer: name, reason: "it is in no block that learns" }))
      const layers = done.map(({ name }) => name)
      const skipped = [...learning.skipped, ...rest]
      return { learning, done, told: { _tag: "StepDone", step, layers, skipped, batches: seen.batches } as const }
    })
    return Effect.gen(function* () {
      if (keep === "quantizers") {
        const { learning, told } = yield* learned
        yield* Ptq.told(options, told)
        return learning.model
      }
      const moving = yield* Layer.attempt(() => Layerwise.moving(Layerwise.targetsOf(Ptq.weighted(model)), step))
      if (moving !== undefined) return yield* moving
      const [answer, told] = yield* Effect.scoped(
        Effect.gen(function* () {
          const { learning, done, told } = yield* learned
          return [yield* Layer.attempt(() => LearnedWeights.found(learning, done, model)), told] as const
        })
      )
      const next = yield* LearnedWeights.folded(model, answer)
      yield* Ptq.told(options, told)
      return next
    })
  }

/**
 * AdaRound: rounds each weight up or down, as a stretched logistic function of a parameter that is learned, with a regulariser that
 * makes it decide. Scales stay unless `scales` has an optimiser for them.
 *
 * All samples that a layer gets are held while it learns, in the quantized and in the float network.
 *
 * - formula:  `w = s clamp(floor(w / s) + h(v))`, `v = argmin` of `RoundLearningMath.regularized`, by Adam; at last h is 1 above one half, else 0
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NoCalibrationData; ScaleNotFixed, if weights are kept; NonFiniteActivations and LearningDiverged, which name the layer;
 *   UnknownLayer for blocks; what is wrong with an optimiser; InputError of the model; the model is never changed
 * - source:   Nagel et al. 2020, arXiv:2004.10568; of blocks Li et al. 2021, arXiv:2102.05426
 *
 * @category rounding
 * @since 0.4.0
 */
export const adaRound = <E = never, R = never>(
  batches: Ptq.Batches<E, R>,
  options: Options & {
    /** default: "hardSigmoid" */
    readonly rounding?: "hardSigmoid" | "sigmoid"
  } = {}
): Ptq.Step<LearnError | E, R> =>
  learn(batches, options, {
    step: "AdaRound",
    kind: options.rounding ?? "hardSigmoid",
    iterations: 1000,
    optimizer: Optimizer.adam(1e-2),
    loss: RoundLearningMath.regularized(),
    best: false
  })

/**
 * AutoRound: rounds each weight to the nearest integer after adding a number within one half that is learned by the signs of the
 * gradients; what had the lowest loss counts. Scales stay unless `scales` has an optimiser for them.
 *
 * All samples that a layer gets are held while it learns, in the quantized and in the float network.
 *
 * - formula:  `w = s clamp(round(w / s + clamp(v, -0.5, 0.5)))`, `v = argmin mean (y - t)^2`, by steps of the rate's size, from 0
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   as `adaRound`
 * - source:   Cheng et al. 2023, arXiv:2309.05516
 *
 * @category rounding
 * @since 0.4.0
 */
export const autoRound = <E = never, R = never>(
  batches: Ptq.Batches<E, R>,
  options: Options = {}
): Ptq.Step<LearnError | E, R> => {
  const { iterations = 200 } = options
  return learn(batches, options, {
    step: "AutoRound",
    kind: "identity",
    iterations,
    optimizer: Optimizer.signSgd(LearningRate.make((step) => Math.max(0, 1 - step / iterations) / iterations)),
    loss: RoundLearningMath.squared,
    best: true
  })
}
