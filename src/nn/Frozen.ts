/**
 * A layer or model as it is at a moment, for evaluation: what it has learned is quantized once, and stays as it is.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `proxy`, `tensor`, `./Layer.ts`. Laws: test/nn/Frozen.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import type { External, Quantized } from "../core/TensorQuantizer.ts"
import type * as Cell from "../proxy/Cell.ts"
import * as Host from "../tensor/Host.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Tree from "../tensor/Tree.ts"
import * as Layer from "./Layer.ts"

// ---- states of its own --------------------------------------------------------------------------------------

/** Copies that share their elements with what they are of, one for each tensor; kept, and the caller's to dispose. */
const copying = (): { readonly copy: (x: tf.Tensor) => tf.Tensor; readonly copies: Map<tf.Tensor, tf.Tensor> } => {
  const copies = new Map<tf.Tensor, tf.Tensor>()
  const copy = (x: tf.Tensor): tf.Tensor => {
    const made = copies.get(x) ?? tf.keep(x.clone())
    copies.set(x, made)
    return made
  }
  return { copy, copies }
}

/** The same states with other tensors. A quantizer that others outside of these states share no longer follows their weights. */
const copied = (states: Layer.States, copy: (x: tf.Tensor) => tf.Tensor): Layer.States =>
  new Map(
    [...states].map(([cell, state]) => {
      const weights = state.tracked((other) => states.get(other)?.parameters).map(copy)
      return [
        cell,
        {
          ...state,
          parameters: Tree.map(state.parameters, copy),
          memory: Tree.map(state.memory, (leaf) => (typeof leaf === "number" ? leaf : copy(leaf))),
          tracked: () => weights
        }
      ]
    })
  )

// ---- answers that are known ---------------------------------------------------------------------------------

/** What an answer depends on, apart from the tensor that is quantized. */
const keyOf = ({ scale, zeroPoint, bitWidth, signed }: External): string =>
  JSON.stringify([
    signed ?? null,
    ...[scale, zeroPoint, bitWidth].map((part) => (part === undefined ? null : [part.shape, ...Host.floats(part)]))
  ])

/** An answer whose tensors nobody else owns. */
const kept = (quantized: Quantized): Quantized => {
  const whole = Object.fromEntries(
    Object.entries(quantized).map(([name, part]) => [name, part instanceof tf.Tensor ? tf.keep(part.clone()) : part])
  ) as unknown as Quantized
  const { grouped } = quantized
  if (grouped === undefined) return whole
  const apart = (x: tf.Tensor): tf.Tensor => tf.keep(x.clone())
  return {
    ...whole,
    grouped: {
      ...grouped,
      value: apart(grouped.value),
      scale: apart(grouped.scale),
      zeroPoint: apart(grouped.zeroPoint)
    }
  }
}

const tensorsOf = ({ grouped, ...parts }: Quantized): ReadonlyArray<tf.Tensor> =>
  [...Object.values(parts), ...Object.values(grouped ?? {})].filter((part) => part instanceof tf.Tensor)

interface Known {
  readonly x: tf.Tensor
  readonly key: string
  readonly answer: Quantized
}

/**
 * Answers to the weights that a quantizer is about. One that needs nothing from outside is known at once; others, that depend on the
 * format of the layer's input, when the first input has come: a pure function of the same numbers gives the same bits.
 */
const constantsOf = (state: Cell.Living, known: Array<Known>): Cell.Constants => {
  const { quantizer, parameters, memory } = state
  const weights = state.tracked(() => undefined)
  const learn = (x: tf.Tensor, external: External, key: string): Quantized => {
    const made: { answer?: Quantized } = {}
    tf.tidy(() => {
      const before = { parameters, memory, training: false, tracked: weights }
      made.answer = kept((quantizer as NonNullable<typeof quantizer>).apply(before, x, external)[0])
    })
    const answer = made.answer as Quantized
    known.push({ x, key, answer })
    return answer
  }
  const isAlone = quantizer?.needs === undefined
  if (quantizer !== undefined && isAlone) for (const x of weights) learn(x, {}, "")
  return (x, external) => {
    if (!weights.includes(x)) return undefined
    const key = isAlone ? "" : keyOf(external)
    const found = known.find((one) => one.x === x)
    if (found === undefined) return learn(x, external, key)
    return found.key === key ? found.answer : undefined
  }
}

// ---- frozen -------------------------------------------------------------------------------------------------

/** The states that evaluation starts from now, as copies, and what is known beforehand. */
const frozen = (layer: Layer.Stateful) => {
  const { copy, copies } = copying()
  const known: Array<Known> = []
  const made: { states?: Layer.States } = {}
  tf.tidy(() => {
    made.states = copied(Layer.prepare(Layer.read(layer), Layer.evaluation), copy)
  })
  const states = [...(made.states as Layer.States)].map(([cell, state]) => {
    const learned = state.slot === "weight" || state.slot === "bias"
    return [cell, learned ? { ...state, constants: constantsOf(state, known) } : state] as const
  })
  return { states: new Map(states), copies, known }
}

/**
 * A layer of the same type that does what this one does in evaluation now, and goes on doing so: it has its state to itself, its
 * weights and biases are quantized once, and no call looks at their statistics. Training the original does not change it, and it
 * has nothing to train: in whatever mode it is called, it evaluates. A mode without some quantization is respected.
 *
 * - formula:  `frozen(x) = layer(x)` in evaluation, to the bit
 * - shapes:   as the layer's
 * - gradient: to the input only, as in evaluation
 * - errors:   those of the layer, when it is called
 * - source:   Brevitas, proxy/utils.py (inference caching: a switch of the model there)
 *
 * It lives in the surrounding Scope. A bias on the scale of its layer's products is kept for the first such scale.
 *
 * @category evaluation
 * @since 0.3.0
 */
export const make = Effect.fn("Frozen.make")(
  <In, Out extends Layer.Values>(
    layer: Layer.Layer<In, Out>
  ): Effect.Effect<Layer.Layer<In, Out>, never, Scope.Scope> =>
    Effect.gen(function* () {
      for (const cell of new Set(layer.cells.map(([, cell]) => cell))) yield* LeasedRef.hold(cell)
      const { states } = yield* Effect.acquireRelease(
        Effect.sync(() => frozen(layer)),
        ({ copies, known }) =>
          Effect.sync(() => tf.dispose([...copies.values(), ...known.flatMap(({ answer }) => tensorsOf(answer))]))
      )
      return {
        kind: layer.kind,
        cells: [],
        proxies: [],
        apply: (outer, x, mode) => [layer.apply(states, x, { ...mode, training: false })[0], outer]
      }
    })
)
