/**
 * The iterations that learn the roundings of one block: each is one synchronous run, and between two of them the step can be interrupted.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `nn`, `proxy`, `tensor`, `./LearnedQuantizers.ts`, `./Ptq.ts`,
 * `./RoundLearningMath.ts`, `./Samples.ts`. Laws: test/ptq/RoundLearning.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as Optimizer from "../core/Optimizer.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Layer from "../nn/Layer.ts"
import * as Cell from "../proxy/Cell.ts"
import * as Gradient from "../tensor/Gradient.ts"
import type { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Random from "../tensor/Random.ts"
import { LearningDiverged } from "../tensor/StepErrors.ts"
import * as Tree from "../tensor/Tree.ts"
import * as LearnedQuantizers from "./LearnedQuantizers.ts"
import * as Ptq from "./Ptq.ts"
import type * as RoundLearningMath from "./RoundLearningMath.ts"
import * as Samples from "./Samples.ts"

type Named<A> = Optimizer.Named<A>

export interface Task extends Ptq.Reporting {
  readonly step: string
  /** the path of the block */
  readonly name: string
  readonly layer: Layer.Layer
  readonly targets: ReadonlyArray<LearnedQuantizers.Target>
  readonly samples: Samples.Samples
  readonly kind: LearnedQuantizers.Kind
  readonly mode: Layer.Mode
  readonly iterations: number
  readonly batchSize: number
  readonly optimizer: Optimizer.Optimizer
  readonly scales: Optimizer.Optimizer | undefined
  readonly loss: RoundLearningMath.Loss
  readonly best: boolean
  readonly random: Random.Random
}

// ---- parameters ---------------------------------------------------------------------------------------------

/** One learned tensor: which cell it is of, its name there, and what it is for. */
interface Place {
  readonly key: string
  readonly cell: Cell.Cell
  readonly name: string
  readonly of: "rounding" | "scale"
}

const placesOf = ({ targets, scales }: Task): ReadonlyArray<Place> =>
  targets.flatMap((target) => {
    const { cell } = target.proxy
    const place = (name: string, of: Place["of"]): Place => ({
      key: `${target.name}.weightQuant.${name}`,
      cell,
      name,
      of
    })
    const learned = scales === undefined ? [] : target.scales.map((name) => place(name, "scale"))
    return [place(target.rounding, "rounding"), ...learned]
  })

const statesWith = (states: Layer.States, places: ReadonlyArray<Place>, values: Named<tf.Tensor>): Layer.States =>
  places.reduce(
    (before, { cell, name, key }) =>
      LearnedQuantizers.withParameters(before, cell, new Map([[name, values[key] as tf.Tensor]])),
    states
  )

/** What an iteration leaves: tensors that nobody else owns. */
interface Reached {
  readonly parameters: Named<tf.Tensor>
  readonly states: readonly [rounding: Optimizer.State, scale: Optimizer.State]
  readonly best: { readonly loss: number; readonly parameters: Named<tf.Tensor> } | undefined
}

const tensorsOf = ({ parameters, states, best }: Reached): ReadonlyArray<tf.Tensor> => [
  ...Object.values(parameters),
  ...states.flatMap(Optimizer.tensorsOf),
  ...Object.values(best?.parameters ?? {})
]

/** The first parameters: copies of those in the cells. */
const begun = (places: ReadonlyArray<Place>): Named<tf.Tensor> =>
  Object.fromEntries(
    places.map(({ key, cell, name }) => {
      const { parameters } = LeasedRef.current(cell)
      const leaf = Tree.leaves(parameters).find(([other]) => other === name)?.[1] as tf.Tensor
      return [key, leaf.clone()]
    })
  )

const parted = <A>(places: ReadonlyArray<Place>, of: Place["of"], all: Named<A>): Named<A> =>
  Object.fromEntries(places.flatMap(({ key, of: other }) => (other === of ? [[key, all[key] as A] as const] : [])))

// ---- iterations ---------------------------------------------------------------------------------------------

/** The loss of some samples with these parameters; under a tape. */
const lossOf = (
  task: Task,
  places: ReadonlyArray<Place>,
  values: Named<tf.Tensor>,
  { input, target }: Samples.Pair,
  iteration: number
): tf.Tensor => {
  const { layer, targets, kind, mode, loss, iterations } = task
  const read = Layer.prepare(Layer.read(layer), Layer.evaluation)
  const states = LearnedQuantizers.withQuantized(statesWith(read, places, values), targets, true)
  const [y] = layer.apply(states, input, Layer.without(mode, ["weight"]))
  const upward = places.flatMap(({ key, of }) =>
    of === "rounding" ? LearnedQuantizers.upward(kind, values[key] as tf.Tensor) : []
  )
  return loss({ output: QuantTensor.dequantized(y), target, upward, iteration, iterations })
}

/** One iteration: the loss, and what is reached; within a `tf.tidy`. */
const iterated = (task: Task, places: ReadonlyArray<Place>, before: Reached, iteration: number) => {
  const { parameters } = before
  const keys = places.map(({ key }) => key)
  const pair = Samples.drawn(task.samples, Random.split(task.random, iteration), task.batchSize)
  const { value, gradients } = Gradient.valueAndGradients(
    () => lossOf(task, places, parameters, pair, iteration),
    keys.map((key) => parameters[key] as tf.Tensor)
  )
  const loss = value.dataSync()[0] as number
  const all = Object.fromEntries(keys.map((key, i) => [key, gradients[i] ?? null]))
  const step = (optimizer: Optimizer.Optimizer, state: Optimizer.State, of: Place["of"]) =>
    optimizer.update(state, parted(places, of, parameters), parted(places, of, all))
  const [roundings, first] = step(task.optimizer, before.states[0], "rounding")
  const [scales, second] =
    task.scales === undefined ? [{}, before.states[1]] : step(task.scales, before.states[1], "scale")
  const better = task.best && (before.best === undefined || loss < before.best.loss)
  const best = better ? { loss, parameters } : before.best
  const after: Reached = { parameters: { ...roundings, ...scales }, states: [first, second], best }
  return { loss, after }
}

/** Puts the learned parameters into the cells, which own them from then on. */
const commit = (places: ReadonlyArray<Place>, values: Named<tf.Tensor>): void => {
  for (const { cell, name, key } of places) {
    const { parameters, memory } = LeasedRef.current(cell)
    const value = tf.keep((values[key] as tf.Tensor).clone())
    Cell.commit(cell, { memory, parameters: Tree.map(parameters, (leaf, other) => (other === name ? value : leaf)) })
  }
}

/** Learns, and writes what was learned into the cells of the quantizers. */
export const run = (task: Task): Effect.Effect<void, LearningDiverged | InvalidOptions | Layer.InputError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const places = placesOf(task)
      const names = (of: Place["of"]): ReadonlyArray<string> =>
        places.flatMap((one) => (one.of === of ? [one.key] : []))
      const wrong = task.optimizer.check(names("rounding")) ?? task.scales?.check(names("scale"))
      if (wrong !== undefined) return yield* wrong
      const held: { reached: Reached } = yield* Effect.acquireRelease(
        Effect.sync(() => {
          const parameters = begun(places)
          const states = [task.optimizer.init(parameters), { steps: 0, slots: {} }] as const
          return { reached: { parameters, states, best: undefined } }
        }),
        ({ reached }) => Effect.sync(() => tf.dispose([...tensorsOf(reached)]))
      )
      for (let iteration = 1; iteration <= task.iterations; iteration++) {
        const loss = yield* Layer.attempt(() => advanced(task, places, held, iteration))
        if (!Number.isFinite(loss)) return yield* new LearningDiverged({ step: task.step, layer: task.name, iteration })
        const { step, name: layer } = task
        yield* Ptq.told(task, { _tag: "Iterated", step, layer, iteration, loss })
        yield* Effect.yieldNow
      }
      const { best, parameters } = held.reached
      yield* Effect.sync(() => tf.tidy(() => commit(places, best?.parameters ?? parameters)))
    })
  )

/** One iteration, whose tensors take the place of those before; answers the loss. */
const advanced = (task: Task, places: ReadonlyArray<Place>, held: { reached: Reached }, iteration: number): number => {
  const before = held.reached
  const answer = { loss: Number.NaN }
  tf.tidy(() => {
    const { loss, after } = iterated(task, places, before, iteration)
    for (const tensor of tensorsOf(after)) tf.keep(tensor)
    held.reached = after
    answer.loss = loss
  })
  const kept = new Set(tensorsOf(held.reached))
  for (const tensor of tensorsOf(before)) if (!kept.has(tensor)) tensor.dispose()
  return answer.loss
}
