/**
 * Rotations of what runs through a model, fused into the weights around it: outliers of single channels spread over all of them.
 *
 * Room: ptq (level 5). Imports: effect, `nn` types, `tensor`, `./Beside.ts`, `./Change.ts`, `./Channels.ts`, `./Prepare.ts`, `./Ptq.ts`, `./RotationMath.ts`,
 * `./Spaces.ts`, `./SplitMath.ts`. Laws: test/ptq/Rotation.test.ts.
 */
import { Effect } from "effect"
import type * as Layer from "../nn/Layer.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Random from "../tensor/Random.ts"
import { type NonFiniteWeights, type UnknownLayer, UnknownStructure } from "../tensor/StepErrors.ts"
import * as Beside from "./Beside.ts"
import * as Change from "./Change.ts"
import * as Channels from "./Channels.ts"
import type * as Matrix from "./Matrix.ts"
import * as Prepare from "./Prepare.ts"
import * as Ptq from "./Ptq.ts"
import * as RotationMath from "./RotationMath.ts"
import * as Spaces from "./Spaces.ts"
import * as SplitMath from "./SplitMath.ts"

interface Common {
  /** default: "hadamard", which there is for powers of two, 12, 20, 24, 28 channels and so on */
  readonly kind?: RotationMath.Kind
  /** draws signs, or directions; default: 0 */
  readonly seed?: number
}

export interface Options extends Prepare.Options, Common {}

export interface OnlineOptions extends Ptq.Reporting, Common {
  /** the layers, by their paths, that get a rotation before them */
  readonly layers: ReadonlyArray<string>
}

/** What can be wrong. */
export type RotateError = Prepare.StructureError | NonFiniteWeights | Layer.BuildError

const step = "Rotate"

const matrixFor = (
  name: string,
  channels: number,
  { kind = "hadamard", seed = 0 }: Common
): Effect.Effect<Matrix.Matrix, InvalidOptions> => {
  const made = RotationMath.rotation(kind, channels, Random.split(Random.make(seed), name))
  return made === undefined
    ? Effect.fail(
        new InvalidOptions({
          what: `${step} at ${name}`,
          option: "kind",
          reason: `no Hadamard matrix of ${channels} channels can be made; use kind: "orthogonal"`
        })
      )
    : Effect.succeed(made)
}

const turned = (
  weights: Prepare.Weights,
  { own, form }: Spaces.Part,
  side: "inputs" | "outputs",
  r: Matrix.Matrix
): Prepare.Weights => {
  const parameters = weights.get(own) as { weight: Ptq.Host; bias?: Ptq.Host }
  return new Map(weights).set(own, { ...RotationMath.rotated(form, parameters, side, r) })
}

/**
 * Rotates every space of a model: what lies between linear layers or convolutions that only identities, additions, average pools and
 * `RMSNorm`s without scale connect, residual streams above all. The layers that make its values take the rotation over, those that
 * read them its inverse; nothing is left to compute, and the float network computes the same. Merge the scales of normalizations before
 * (`MergeLayerNorm.merge`), and batch normalizations (`MergeBatchNorm.merge`).
 *
 * All quantizers begin anew: calibrate afterwards.
 *
 * - formula:  `W_source <- W_source R`, `b <- b R`, `W_sink <- R^T W_sink`, `R R^T = I`
 * - shapes:   `input [n, ...d]`
 * - gradient: none
 * - errors:   UnknownStructure; NonFiniteWeights, which names the layer; InvalidOptions where there is no Hadamard matrix; InputError of
 *   the model; the model is never changed
 * - source:   Ashkboos et al. 2024, arXiv:2404.00456 (QuaRot); Liu et al. 2024, arXiv:2405.16406 (SpinQuant); Brevitas,
 *   graph/equalize.py (GraphRotationEqualization)
 *
 * @category preparing
 * @since 0.4.0
 */
export const rotate =
  (options: Options): Ptq.Step<RotateError> =>
  (model) =>
    Effect.gen(function* () {
      const found = yield* Prepare.looking(model, options.input, step, Spaces.of)
      if ("unknown" in found) return yield* new UnknownStructure({ step, layer: found.unknown })
      const parts = found.spaces.flatMap(({ sources, sinks }) => [...sources, ...sinks])
      let weights = yield* Prepare.weightsOf(parts, step)
      for (const { channels, sources, sinks } of found.spaces) {
        const r = yield* matrixFor((sources[0] as Spaces.Part).name, channels, options)
        weights = sources.reduce((now, part) => turned(now, part, "outputs", r), weights)
        weights = sinks.reduce((now, part) => turned(now, part, "inputs", r), weights)
      }
      const next = yield* Prepare.rewritten(model, weights, "all")
      yield* Prepare.done(options, step, [...new Set(parts.map(({ name }) => name))])
      return next
    })

/**
 * Puts a rotation before some layers, computed as the model runs, where none can be fused: after a rectifier for instance. `down`
 * becomes `down.rotation`, a float product, and `down.layer`, whose weight takes the inverse over. The float network computes the same.
 *
 * - formula:  `x W = (x R) (R^T W)`
 * - shapes:   those of the model
 * - gradient: of both products
 * - errors:   UnknownLayer for a path that is none; InvalidOptions for layers in groups, and where there is no Hadamard matrix;
 *   NonFiniteWeights; the model is never changed
 * - source:   Ashkboos et al. 2024, arXiv:2404.00456; Brevitas, graph/equalize.py (LayerwiseActivationRotation)
 *
 * @category preparing
 * @since 0.4.0
 */
export const online =
  (options: OnlineOptions): Ptq.Step<RotateError | UnknownLayer> =>
  (model) =>
    Effect.gen(function* () {
      const named = yield* Effect.forEach(options.layers, (path) => Ptq.find(model, path, step))
      const parts: Array<Spaces.Part> = []
      for (const { name, layer } of named) {
        const { own, form } = layer
        if (!Channels.isChannelled(form) || (form.op !== "linear" && form.op !== "conv") || isInGroups(form))
          return yield* new InvalidOptions({
            what: step,
            option: "layers",
            reason: `names ${name}, which is no linear layer or convolution without groups`
          })
        parts.push({ name, own, form })
      }
      const before = yield* Prepare.weightsOf(parts, step)
      const rotations = new Map<string, Layer.Layer>()
      let weights = before
      for (const part of parts) {
        const { shape } = (before.get(part.own) as { readonly weight: Ptq.Host }).weight
        const channels = shape[SplitMath.axesOf(part.form, shape)?.inputs as number] as number
        const r = yield* matrixFor(part.name, channels, options)
        weights = turned(weights, part, "inputs", r)
        const rotation = yield* Beside.product(r)
        for (const path of Prepare.placesOf(model, part.own)) rotations.set(path, rotation)
      }
      const whole = Prepare.replacing(model, (layer, path) => {
        const rotation = rotations.get(path)
        return rotation === undefined ? layer : Beside.rotation(rotation)(layer)
      })
      const next = yield* Prepare.rewritten(whole, weights, "all")
      yield* Prepare.done(
        options,
        step,
        parts.map(({ name }) => name),
        [],
        Change.placed(
          "rotation",
          parts.map(({ own }) => Prepare.placesOf(model, own))
        )
      )
      return next
    })

const isInGroups = (form: Channels.Channelled): boolean => form.op === "conv" && form.groups > 1
