/**
 * A trained network quantized by a recipe, measured before and after each step.
 *
 * Room: cli (level 6). Imports: tfjs, effect, `core`, `exchange`, `nn`, `ptq`, `train`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import type * as Dataset from "../exchange/Dataset.ts"
import type * as OnnxRuntime from "../exchange/OnnxRuntime.ts"
import type * as Layer from "../nn/Layer.ts"
import * as State from "../nn/State.ts"
import * as Noise from "../ptq/Noise.ts"
import type * as Ptq from "../ptq/Ptq.ts"
import * as Recipe from "../ptq/Recipe.ts"
import * as Sensitivity from "../ptq/Sensitivity.ts"
import * as Structure from "../ptq/Structure.ts"
import * as Random from "../tensor/Random.ts"
import * as Batch from "../train/Batch.ts"
import * as Metric from "../train/Metric.ts"
import { type Image, shapes } from "./Network.ts"
import * as Networks from "./Networks.ts"
import * as Progress from "./Progress.ts"
import * as Schemes from "./Schemes.ts"

export interface Plan {
  readonly network: Networks.Network
  readonly image: Image
  /** the trained network, with its quantizers or without */
  readonly model: Layer.Layer
  readonly recipe: Recipe.Recipe
  readonly train: Dataset.Dataset
  readonly test: Dataset.Dataset
}

/** How the network stood after a step. */
export interface Stage {
  readonly name: string
  /** in percent, on images that were held out */
  readonly accuracy: number
  /** of the network's output, against the float network, on the calibration samples */
  readonly noise: Noise.Noise
  readonly layers: ReadonlyArray<string>
  readonly skipped: ReadonlyArray<Ptq.Skipped>
}

export interface Result {
  /** the network that has the quantizers which the recipe replaces */
  readonly network: Networks.Network
  readonly model: Layer.Layer
  /** in percent */
  readonly float: number
  readonly stages: ReadonlyArray<Stage>
  readonly sensitivity: Sensitivity.Sensitivity
  /** what became of the network's structure, by which its state is read back */
  readonly structure: Structure.Structure
}

// ---- data ---------------------------------------------------------------------------------------------------

/** The samples that a recipe asks for, in its order: the same ones in every pass. */
export const batchesOf = (recipe: Recipe.Recipe, source: Batch.Source): Ptq.Batches => {
  const { samples, batchSize, seed } = Recipe.calibrationOf(recipe)
  const order = Random.permutation(Random.split(Random.make(seed), "calibration"), source.count)
  const some = order.subarray(0, Math.min(samples, order.length))
  const starts = Array.from({ length: Math.ceil(some.length / batchSize) }, (_, i) => i * batchSize)
  return Stream.fromIterable(
    starts.map((start) => {
      const batch = source.batch(some.subarray(start, start + batchSize))
      return () => QuantTensor.dequantized(batch.tensors().input)
    })
  )
}

/** The inputs of a batch as plain numbers. */
export const floatsOf = (batch: Batch.Batch, shape: ReadonlyArray<number>): OnnxRuntime.Floats => {
  const found: { data?: Float32Array } = {}
  tf.tidy(() => {
    found.data = Float32Array.from(QuantTensor.dequantized(batch.tensors().input).dataSync())
  })
  return { shape, data: found.data as Float32Array }
}

const accuracyOf = (model: Layer.Layer, source: Batch.Source) =>
  Effect.map(
    Metric.evaluate(model, Batch.stream(source, { batchSize: 250 }), { accuracy: Metric.accuracy }),
    ({ accuracy }) => 100 * accuracy
  )

// ---- networks -----------------------------------------------------------------------------------------------

/** A float network as one with quantizers of 8 bits, for a recipe to replace; another one as it is. */
export const quantizable = (
  network: Networks.Network,
  image: Image,
  model: Layer.Layer
): Effect.Effect<
  { readonly network: Networks.Network; readonly model: Layer.Layer },
  Layer.BuildError | Networks.UnknownNetwork | Effect.Error<ReturnType<typeof State.load>>,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const { training } = network
    if (training.by === "recipe" || training.scheme !== undefined) return { network, model }
    const like = yield* Networks.find(`${training.shape}-int8`)
    const made = yield* shapes[training.shape](Schemes.find("int8"), image, 0)
    yield* State.load(made.model, yield* State.extract(model), "float")
    return { network: like, model: made.model }
  })

// ---- the work -----------------------------------------------------------------------------------------------

/** How many batches the sensitivity is measured on: one pass is as many as there are layers. */
const sensitivityBatches = 2

/** Quantizes by a recipe with a bar that shows the steps; the model that comes of it lives in the surrounding Scope. */
export const run = Effect.fn("Quantizing.run")(function* (plan: Plan) {
  const { recipe } = plan
  const begun = yield* quantizable(plan.network, plan.image, plan.model)
  const batches = batchesOf(recipe, plan.network.source(plan.train))
  const held = plan.network.source(plan.test)
  const done: Array<Ptq.StepDone> = []
  const report = (event: Ptq.Event): Effect.Effect<void> =>
    Effect.sync(() => {
      if (event._tag === "StepDone") done.push(event)
    })
  const steps = yield* Recipe.plan(recipe, begun.model, batches, { report })
  const float = yield* accuracyOf(plan.model, held)
  const reached: { model: Layer.Layer; float: Layer.Layer; stages: ReadonlyArray<Stage> } = {
    model: begun.model,
    float: begun.model,
    stages: []
  }
  const firstRounded = steps.findIndex(({ kind }) => kind === "rounding" || kind === "correcting")
  yield* Progress.track(`${plan.network.name} ${recipe.name}`, steps.length, ({ update }) =>
    Effect.gen(function* () {
      for (const [i, { name, step }] of steps.entries()) {
        yield* update(i, name)
        const before = done.length
        reached.model = yield* step(reached.model)
        const told = done[before]
        // layers that a step puts beside others are in the float network, too
        if (firstRounded < 0 || i < firstRounded || told?.changes !== undefined) reached.float = reached.model
        const accuracy = yield* accuracyOf(reached.model, held)
        const noise = yield* Noise.between(plan.model, reached.model, batches)
        const stage = { name, accuracy, noise, layers: told?.layers ?? [], skipped: told?.skipped ?? [] }
        reached.stages = [...reached.stages, stage]
        yield* update(i + 1, `${name}: ${accuracy.toFixed(2)} %, ${Noise.shown(noise)} dB`)
      }
    })
  )
  const some = Stream.take(batches, sensitivityBatches)
  const sensitivity = yield* Sensitivity.measure(reached.model, some, { float: reached.float })
  const changes = done.flatMap(({ changes = [] }) => changes)
  const structure = yield* Structure.between(begun.model, changes, reached.model)
  const { model, stages } = reached
  return { network: begun.network, model, float, stages, sensitivity, structure } satisfies Result
})
