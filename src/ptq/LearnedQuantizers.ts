/**
 * Weight quantizers that learn how to round, in the place of those of a model: same scales, and a parameter for each weight.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `inject`, `nn`, `proxy`, `tensor`, `./Ptq.ts`. Laws: test/ptq/RoundLearning.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, MutableRef, type Scope } from "effect"
import * as LearnedRound from "../core/LearnedRound.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Injector from "../inject/Injector.ts"
import * as Fork from "../nn/Fork.ts"
import * as Layer from "../nn/Layer.ts"
import type * as Cell from "../proxy/Cell.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import { MissingInput } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Tree from "../tensor/Tree.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Ptq from "./Ptq.ts"

/** How the learned parameter becomes a rounding, see `LearnedRound` in core. */
export type Kind = "hardSigmoid" | "sigmoid" | "identity"

const implOf = (kind: Exclude<Kind, "identity">): LearnedRound.LearnedRoundImpl =>
  kind === "sigmoid" ? LearnedRound.LearnedRoundSigmoid({}) : LearnedRound.LearnedRoundHardSigmoid({})

/** How far up weights are rounded while it is learned; the identity has no such number. */
export const upward = (kind: Kind, parameter: tf.Tensor): ReadonlyArray<tf.Tensor> =>
  kind === "identity" ? [] : [implOf(kind).apply(parameter, true)]

/** A layer whose rounding is learned. */
export interface Target extends Ptq.Named {
  readonly proxy: QuantProxy
  /** where the parameter of the rounding stands in the quantizer's cell, and those of its scale */
  readonly rounding: string
  readonly scales: ReadonlyArray<string>
}

// ---- which layers -------------------------------------------------------------------------------------------

/** The weight in steps of its quantizer, or why it has none. */
const stepsOf = ({ layer }: Ptq.Named, proxy: QuantProxy): tf.Tensor | string => {
  const states = Layer.prepare(Layer.read(layer), Layer.evaluation)
  const weight = Layer.stateOf(states, layer.own).parameters.weight as tf.Tensor
  try {
    const [y] = Layer.quantize(states, proxy, weight, Layer.evaluation)
    if (!QuantTensor.isQuantTensor(y)) return "its weight quantizer does nothing"
    if (y.float !== undefined) return "its weights have no integers"
    return tf.add(tf.div(weight, y.scale), y.zeroPoint)
  } catch (cause) {
    if (cause instanceof MissingInput) return "its weight quantizer depends on the format of the layer's input"
    throw cause
  }
}

/** The parameters that the rounding of a layer begins with, or why it cannot be learned; within a `tf.tidy`. */
const beginningOf = (named: Ptq.Named, kind: Kind): tf.Tensor | string => {
  const { weightQuant: proxy } = named.layer
  if (proxy === undefined) return "it has no weight quantizer"
  if (MutableRef.get(proxy.modules).length > 1) return "it shares its weight quantizer with another layer"
  const steps = stepsOf(named, proxy)
  if (typeof steps === "string") return steps
  return kind === "identity" ? tf.zerosLike(steps) : LearnedRound.initialOf(implOf(kind), steps)
}

/** The names of tensors in a tree that end so. */
const ending = (parameters: Tree.Parameters, end: string): ReadonlyArray<string> =>
  Tree.leaves(parameters).flatMap(([name]) => (name === end || name.endsWith(`.${end}`) ? [name] : []))

const targetOf = (named: Ptq.Named): Target | undefined => {
  const { weightQuant: proxy } = named.layer
  const parameters = proxy && LeasedRef.current(proxy.cell).parameters
  const [rounding] = parameters === undefined ? [] : ending(parameters, "floatToIntImpl.value")
  if (proxy === undefined || parameters === undefined || rounding === undefined) return undefined
  return { ...named, proxy, rounding, scales: ending(parameters, "scalingImpl.value") }
}

// ---- the model with them ------------------------------------------------------------------------------------

/** A tree with the leaves of another one where it has them. */
const takenOver = <Leaf extends tf.Tensor | number>(now: Tree.Tree<Leaf>, before: Tree.Tree<Leaf>): Tree.Tree<Leaf> => {
  const old = new Map(Tree.leaves(before))
  return Tree.map(now, (leaf, name) => old.get(name) ?? leaf)
}

/** A fork in which quantizers with the same names go on with what those of the model have learned. */
const goingOn = <M extends Layer.Stateful>(fork: M, model: M): Effect.Effect<M, never, Scope.Scope> => {
  const before = new Map(model.proxies.map(([name, { cell }]) => [name, cell]))
  const old = new Map<Cell.Cell, Cell.Cell | undefined>(
    fork.proxies.map(([name, { cell }]) => [cell, before.get(name)])
  )
  const states: { known?: Layer.States } = {}
  return Fork.make(fork, (cell, now) => {
    const from = old.get(cell)
    // as a call would begin: scales that come from statistics at the first call are there
    states.known ??= Layer.prepare(Layer.read(model), Layer.evaluation)
    const state = from && states.known.get(from)
    return (
      state && { parameters: takenOver(now.parameters, state.parameters), memory: takenOver(now.memory, state.memory) }
    )
  })
}

/** A model whose weight quantizers learn how to round. */
export interface Learning<M> {
  readonly model: M
  readonly targets: ReadonlyArray<Target>
  readonly skipped: ReadonlyArray<Ptq.Skipped>
}

/**
 * The same model with roundings that are learned, beginning with the float weights (or, for the identity, with the nearest integers);
 * it lives in the surrounding Scope.
 */
export const make = <M extends Ptq.Model>(
  model: M,
  kind: Kind
): Effect.Effect<Learning<M>, ResolutionError | Layer.InputError, Scope.Scope> =>
  Effect.gen(function* () {
    const begun = new Map<string, tf.Tensor>()
    const skipped: Array<Ptq.Skipped> = []
    yield* Effect.addFinalizer(() => Effect.sync(() => tf.dispose([...begun.values()])))
    yield* Layer.attempt(() => {
      for (const named of Ptq.weighted(model))
        tf.tidy(() => {
          const first = beginningOf(named, kind)
          if (typeof first === "string") skipped.push({ layer: named.name, reason: first })
          else begun.set(named.name, tf.keep(first))
        })
    })
    const named = new Map(
      [...begun].map(([name, first]) => [name === "" ? "weightQuant" : `${name}.weightQuant`, first])
    )
    const learning = { floatToIntImplType: "learnedRound", learnedRoundImplType: kind }
    const fork = yield* Fork.requantized(model, (name, { injector }) => {
      const learnedRoundInit = named.get(name)
      if (learnedRoundInit === undefined) return undefined
      return (Injector.let as (self: Injector.Any, values: Injector.Attributes) => Injector.Any)(injector, {
        ...learning,
        learnedRoundInit
      })
    })
    const next = yield* goingOn(fork, model)
    const targets = Ptq.weighted(next).flatMap((one) => (begun.has(one.name) ? (targetOf(one) ?? []) : []))
    for (const name of begun.keys())
      if (!targets.some((target) => target.name === name))
        skipped.push({ layer: name, reason: "its weight quantizer has no rounding that could be learned" })
    return { model: next, targets, skipped }
  })

// ---- weights ------------------------------------------------------------------------------------------------

/** The states in which the layers have the weights that their quantizers make of them in this mode. */
export const withQuantized = (
  states: Layer.States,
  targets: ReadonlyArray<Target>,
  training: boolean
): Layer.States => {
  const next = new Map(states)
  for (const { layer, proxy } of targets) {
    const own = Layer.stateOf(states, layer.own)
    const [y] = Layer.quantize(states, proxy, own.parameters.weight as tf.Tensor, { training })
    next.set(layer.own, { ...own, parameters: { ...own.parameters, weight: QuantTensor.dequantized(y) } })
  }
  return next
}

/** The states in which a quantizer has other parameters, by their names in its cell. */
export const withParameters = (
  states: Layer.States,
  cell: Cell.Cell,
  values: ReadonlyMap<string, tf.Tensor>
): Layer.States => {
  const state = Layer.stateOf(states, cell)
  const parameters = Tree.map(state.parameters, (leaf, name) => values.get(name) ?? leaf)
  return new Map(states).set(cell, { ...state, parameters })
}
