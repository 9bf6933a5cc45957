/**
 * A layer as a case measures it: parameters put in, training forwards to calibrate, one forward with the gradients of
 * `sum(value * upstream)`; and what differs from the case.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Layer from "../../../../src/nn/Layer.ts"
import * as State from "../../../../src/nn/State.ts"
import * as Gradient from "../../../../src/tensor/Gradient.ts"
import * as Tree from "../../../../src/tensor/Tree.ts"
import { type Case, deviation, failed, type Outcome } from "../../Case.ts"
import * as Deviations from "../../Deviations.ts"
import { tensorOf } from "../Core.ts"
import { type Difference, differences, gradientDifferences, isWritten, outcomeOf } from "../quantizers/Compared.ts"
import * as Answer from "./Answer.ts"
import * as Layout from "./Layout.ts"

/** What a case measures. */
export interface Measuring<In> {
  /** the layer, made in a Scope of its own */
  readonly layer: Effect.Effect<Layer.Layer<In, Layer.Values>, unknown, Scope.Scope>
  /** the layer's own parameters by breve's names, in breve's layout */
  readonly parameters: Readonly<Record<string, tf.Tensor>>
  readonly calib: ReadonlyArray<In>
  readonly x: In
  readonly training: boolean
  /** what is differentiated by besides the parameters: tensors within `x` under the names of the reference */
  readonly variables: Readonly<Record<string, tf.Tensor>>
  /** `x` with other tensors in the place of the variables */
  readonly withVariables: (variables: Readonly<Record<string, tf.Tensor>>) => In
  /** the answers that the loss sums, each with its upstream gradient in breve's layout */
  readonly losses: (y: Layer.Values) => ReadonlyArray<readonly [value: tf.Tensor, upstream: tf.Tensor]>
  /** the layouts of gradients by their names in the reference; absent: as they are */
  readonly layouts: Readonly<Record<string, Layout.Layout>>
  /** what is expected of the answers, beside `quantizer_state` and the gradients */
  readonly expected: (y: Layer.Values) => ReadonlyArray<readonly [name: string, expected: unknown, actual: unknown]>
  /** what is done to the layer once its parameters are in, before it calibrates */
  readonly begin?: (layer: Layer.Stateful) => void
  /** breve's name of a parameter of the layer's own, if it is another than the camel-case one */
  readonly nameOf?: (theirs: string) => string
}

const swapped = (states: Layer.States, tensors: ReadonlyMap<tf.Tensor, tf.Tensor>): Layer.States =>
  new Map(
    [...states].map(([cell, state]) => [
      cell,
      { ...state, parameters: Tree.map(state.parameters, (tensor) => tensors.get(tensor) ?? tensor) }
    ])
  )

/** Runs what a case measures and compares. */
export const measured = <In>(testCase: Case, self: Measuring<In>): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const layer = yield* self.layer
    yield* State.load(layer as unknown as Layer.Layer, self.parameters)
    self.begin?.(layer)
    for (const x of self.calib) tf.dispose([...Layer.tensorsIn(yield* Layer.forward(layer, x, Layer.training))])
    const mode = { training: self.training }
    const nameOf = self.nameOf ?? Answer.nameOf
    /** in the reference's layout: what a quantizer of weights has for each channel lies as the weight does */
    const there = (theirs: string, x: tf.Tensor): tf.Tensor => {
      const { weight: layout } = self.layouts
      const own = self.layouts[theirs]
      if (own !== undefined) return Layout.theirs(own, x)
      if (layout === undefined || !/^weight_quant\b/.test(theirs)) return x
      const { rank = 0 } = self.parameters.weight ?? {}
      return x.rank > rank && rank > 1
        ? Layout.theirGroups(layout, x, Layout.inputAxis(layout, rank))[0]
        : Layout.theirs(layout, x)
    }
    return yield* Layer.attempt(() => {
      const found: Array<Difference> = []
      const y = Layer.run(layer, mode, (states) => {
        const parameters = [...new Set([...states.values()].flatMap((state) => Tree.tensors(state.parameters)))]
        const names = Object.keys(self.variables)
        const given = [...Object.values(self.variables), ...parameters]
        const loss = (now: ReadonlyArray<tf.Tensor>): tf.Tensor => {
          const variables = Object.fromEntries(names.map((name, i) => [name, now[i] as tf.Tensor]))
          const others = new Map(parameters.map((tensor, i) => [tensor, now[names.length + i] as tf.Tensor]))
          const [y] = layer.apply(swapped(states, others), self.withVariables(variables), mode)
          const terms = self.losses(y).map(([value, upstream]) => tf.sum(tf.mul(value, upstream)))
          return terms.reduce((a, b) => tf.add(a, b), tf.scalar(0))
        }
        const { gradients } = Gradient.valueAndGradients(
          loss,
          given.map((tensor) => tf.clone(tensor))
        )
        const byTensor = new Map(given.map((tensor, i) => [tensor, gradients[i] as tf.Tensor | null]))
        const ownNames = new Map(
          Object.entries(Answer.stateOf(layer, states)).flatMap(([name, leaf]) =>
            typeof leaf === "number" ? [] : [[name, leaf] as const]
          )
        )
        const gradientOf = (theirs: string): tf.Tensor | null | undefined => {
          const tensor = self.variables[theirs] ?? ownNames.get(nameOf(theirs))
          const gradient = tensor === undefined ? undefined : byTensor.get(tensor)
          return gradient === undefined || gradient === null ? gradient : there(theirs, gradient)
        }
        const [y, after] = layer.apply(states, self.x, mode)
        const terms = self
          .losses(y)
          .reduce((sum, [value, up]) => sum + (tf.sum(tf.abs(tf.mul(value, up))).dataSync()[0] as number), 0)
        const expected = testCase.grads ?? {}
        const actual = Object.fromEntries(Object.keys(expected).map((name) => [name, gradientOf(name)]))
        found.push(...gradientDifferences(expected, actual, "grads", () => terms))
        const reached = Answer.stateOf(layer, after)
        for (const [theirs, wanted] of Object.entries(testCase.outputs.quantizer_state ?? {})) {
          const leaf = reached[nameOf(theirs)]
          const got = typeof wanted === "boolean" ? leaf === 1 : leaf
          const asTensor = isWritten(wanted)
            ? there(theirs, typeof got === "number" ? tf.scalar(got) : (got as tf.Tensor))
            : got
          found.push(...differences(wanted, asTensor, theirs))
        }
        for (const [name, wanted, got] of self.expected(y)) found.push(...differences(wanted, got, name))
        return [y, after]
      })
      tf.dispose([...Layer.tensorsIn(y)])
      return outcomeOf(testCase, found)
    })
  })

/** An outcome from a measurement; a failure may be what breve does on purpose. */
export const outcome = (testCase: Case, effect: Effect.Effect<Outcome, unknown, Scope.Scope>): Promise<Outcome> =>
  Effect.runPromise(
    Effect.scoped(effect).pipe(
      Effect.catch((error) => {
        const tag = typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined
        const rule = Deviations.explaining(testCase, testCase.outputs, { error: tag, differing: ["error"] })
        const message = error instanceof Error ? error.message : String(error)
        return Effect.succeed(rule === undefined ? failed(`failed: ${message}`) : deviation(rule.id))
      })
    )
  )

/** A quant tensor or plain tensor that a case gives as input: integers with a scale, or floats. */
export const inputOf = (testCase: Case, written: any, layout: Layout.Layout, training: boolean, i = 0): Layer.Value => {
  const format = testCase.config.input_quant_tensor
  const x = Layout.ours(layout, tensorOf(written))
  if (format === undefined) return x
  const scale = tf.scalar(format.scale ?? format.scales[i])
  const zeroPoint = tf.scalar(format.zero_point)
  return QuantTensor.make({
    value: tf.mul(tf.sub(x, zeroPoint), scale),
    scale,
    zeroPoint,
    bitWidth: tf.scalar(format.bit_width),
    signed: format.signed,
    training
  })
}
