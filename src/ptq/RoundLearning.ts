/**
 * Learned rounding over a model: for each weight, up or down is what brings the outputs near those of the float network.
 *
 * AdaRound and AutoRound are two settings of one step: which function of a learned parameter rounds, by which loss and optimiser it is
 * learned, and whether the last or the best parameters count. Layers learn one after the other, or together with those of their block.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `nn`, `proxy` types, `tensor`, `./LearnedQuantizers.ts`, `./Learn.ts`,
 * `./Layerwise.ts`, `./Ptq.ts`, `./RoundLearningMath.ts`, `./Samples.ts`. Laws: test/ptq/RoundLearning.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as LearningRate from "../core/LearningRate.ts"
import * as Optimizer from "../core/Optimizer.ts"
import * as Fork from "../nn/Fork.ts"
import * as Layer from "../nn/Layer.ts"
import * as Model from "../nn/Model.ts"
import type * as Cell from "../proxy/Cell.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import { nearest } from "../tensor/Nearest.ts"
import * as Random from "../tensor/Random.ts"
import {
  type LearningDiverged,
  type NoCalibrationData,
  type NonFiniteActivations,
  type ScaleNotFixed,
  UnknownLayer
} from "../tensor/StepErrors.ts"
import * as Tree from "../tensor/Tree.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Layerwise from "./Layerwise.ts"
import * as Learn from "./Learn.ts"
import * as LearnedQuantizers from "./LearnedQuantizers.ts"
import * as Ptq from "./Ptq.ts"
import * as RoundLearningMath from "./RoundLearningMath.ts"
import * as Samples from "./Samples.ts"

export interface Options extends Ptq.Reporting {
  /** what learns together: each layer alone, what stands at the top of the model, or layers and models by their paths, in this order */
  readonly blocks?: "layers" | "children" | ReadonlyArray<string>
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

// ---- blocks -------------------------------------------------------------------------------------------------

interface Block {
  readonly path: string
  readonly layer: Layer.Layer
  readonly targets: ReadonlyArray<LearnedQuantizers.Target>
}

/** All layers of a model by their paths, the models among them before their layers. */
const places = (layer: Layer.Stateful, path = ""): ReadonlyArray<readonly [string, Layer.Stateful]> => [
  [path, layer] as const,
  ...(Model.isComposed(layer)
    ? Object.entries(layer.layers).flatMap(([name, one]) => places(one, path === "" ? name : `${path}.${name}`))
    : [])
]

/** The blocks that are asked for, without those in which nothing is learned. */
const blocksOf = (
  model: Ptq.Model,
  targets: ReadonlyArray<LearnedQuantizers.Target>,
  asked: Options["blocks"] = "layers",
  step: string
): Effect.Effect<ReadonlyArray<Block>, UnknownLayer> =>
  Effect.gen(function* () {
    const all = places(model)
    const top = Model.isComposed(model) ? Object.keys(model.layers) : [""]
    const paths = asked === "layers" ? targets.map(({ name }) => name) : asked === "children" ? top : asked
    const known = all.map(([path]) => path)
    const taken = new Set<string>()
    const blocks: Array<Block> = []
    for (const path of paths) {
      const found = all.find(([other]) => other === path)
      if (found === undefined)
        return yield* new UnknownLayer({ step, layer: path, known, nearest: nearest(path, known) })
      const within = targets.filter(
        ({ name }) => !taken.has(name) && (path === "" || name === path || name.startsWith(`${path}.`))
      )
      for (const { name } of within) taken.add(name)
      if (within.length > 0) blocks.push({ path, layer: found[1] as Layer.Layer, targets: within })
    }
    return blocks
  })

// ---- answers ------------------------------------------------------------------------------------------------

/** The numbers that quantizers and weights of the model are to have. */
interface Found {
  readonly weights: Ptq.Overlay
  /** parameters of scales, by the names of quantizers in the model and of parameters in their cells */
  readonly scales: ReadonlyMap<string, ReadonlyMap<string, Ptq.Host>>
}

/** What was learned, as numbers. */
const found = (
  learning: LearnedQuantizers.Learning<Ptq.Model>,
  targets: ReadonlyArray<LearnedQuantizers.Target>,
  model: Ptq.Model
): Found => {
  const own = new Map(Ptq.weighted(model).map(({ name, layer }) => [name, layer.own]))
  const weights = new Map<Cell.Cell, Readonly<Record<string, Ptq.Host>>>()
  tf.tidy(() => {
    const states = Layer.prepare(Layer.read(learning.model), Layer.evaluation)
    const rounded = LearnedQuantizers.withQuantized(states, targets, false)
    for (const { name, layer } of targets) {
      const host = Ptq.hostOf(Layer.stateOf(rounded, layer.own).parameters, "weight")
      const cell = own.get(name)
      if (host !== undefined && cell !== undefined) weights.set(cell, { weight: host })
    }
  })
  const scales = targets.map(({ name, proxy, scales }) => {
    const { parameters } = LeasedRef.current(proxy.cell)
    const hosts = scales.flatMap((scale) => {
      const host = Ptq.hostOf(parameters, scale)
      return host === undefined ? [] : [[scale, host] as const]
    })
    return [name === "" ? "weightQuant" : `${name}.weightQuant`, new Map(hosts)] as const
  })
  return { weights, scales: new Map(scales) }
}

/** The model with float weights whose quantization is what was learned, and the scales that were learned. */
const folded = <M extends Ptq.Model>(model: M, { weights, scales }: Found): Effect.Effect<M, never, Scope.Scope> => {
  const byCell = new Map(model.proxies.map(([name, { cell }]) => [cell, scales.get(name)]))
  const begun = Ptq.beginning(model, (cell, { parameters, memory }) => {
    const tensor = ({ data, shape }: Ptq.Host): tf.Tensor => tf.tensor(data, [...shape])
    const weight = weights.get(cell)?.weight
    if (weight !== undefined) return { memory, parameters: { ...parameters, weight: tensor(weight) } }
    const values = byCell.get(cell)
    if (values === undefined || values.size === 0) return undefined
    const other = (leaf: tf.Tensor, name: string): tf.Tensor => {
      const host = values.get(name)
      return host === undefined ? leaf : tensor(host)
    }
    return { memory, parameters: Tree.map(parameters, other) }
  })
  return Fork.make(model, begun)
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
      const blocks = yield* blocksOf(learning.model, learning.targets, options.blocks, step)
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
          return [yield* Layer.attempt(() => found(learning, done, model)), told] as const
        })
      )
      const next = yield* folded(model, answer)
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
