/**
 * Replays the training traces: models of layers trained by gradient descent, step by step.
 *
 * Losses and parameters: 1e-4 relative, a tensor's elements to its largest one. Gradients, of the steps that have them: 1e-4 likewise.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, MutableRef } from "effect"
import * as Optimizer from "../../../src/core/Optimizer.ts"
import * as QuantTensor from "../../../src/core/QuantTensor.ts"
import * as Layer from "../../../src/nn/Layer.ts"
import * as State from "../../../src/nn/State.ts"
import * as Loss from "../../../src/train/Loss.ts"
import * as Trainer from "../../../src/train/Trainer.ts"
import { type Case, deviation, failed, type Outcome, type Replay, unsupported } from "../Case.ts"
import * as Deviations from "../Deviations.ts"
import { on, tensorOf } from "./Core.ts"
import * as Answer from "./layers/Answer.ts"
import * as Layout from "./layers/Layout.ts"
import { type Difference, outcomeOf } from "./quantizers/Compared.ts"
import * as Network from "./train/Network.ts"

const losses: Readonly<Record<string, Loss.Loss>> = { mse: Loss.meanSquaredError, cross_entropy: Loss.crossEntropy }

/** Tensors by the reference's names, in its layout. */
type Values = Readonly<Record<string, { readonly shape: ReadonlyArray<number>; readonly data: ArrayLike<number> }>>

/** What lies as the weight of its layer does: the weight, and what its quantizer has for each channel. */
const isWeight = (name: string): boolean => /(^|\.)weight(_quant\b|$)/.test(name)

const there = (name: string, x: tf.Tensor): tf.Tensor => (isWeight(name) ? Layout.theirs(Layout.outputLast, x) : x)

/** What differs: a number, or the farthest element relative to the largest one. */
const differing = (path: string, wanted: ArrayLike<number>, got: ArrayLike<number>): ReadonlyArray<Difference> => {
  const few = Math.min(wanted.length, got.length)
  if (few !== wanted.length && few !== 1)
    return [{ path, text: `${path}: ${got.length} for ${wanted.length} elements` }]
  const size = Math.max(...Array.from(wanted, Math.abs), 1e-3)
  const off = Array.from(wanted, (x, i) => Math.abs(x - (got[got.length === wanted.length ? i : 0] as number)) / size)
  const at = off.findIndex((x) => !(x <= 1e-4))
  return at < 0 ? [] : [{ path, text: `${path}[${at}]: expected ${wanted[at]}, got ${got[at]}`, off: Math.max(...off) }]
}

const named = (path: string, wanted: Values, got: Values): ReadonlyArray<Difference> => [
  ...Object.entries(wanted).flatMap(([name, written]) => {
    const found = got[Answer.nameOf(name)]
    const at = `${path} ${name}`
    return found === undefined
      ? [{ path: at, text: `${at}: there is nothing of this name` }]
      : differing(at, written.data, found.data)
  })
]

/** Tensors and numbers by breve's names, each in the layout that its name has in the reference. */
const read = (tensors: Readonly<Record<string, tf.Tensor | number>>, theirs: Values): Values => {
  const names = new Map(Object.keys(theirs).map((name) => [Answer.nameOf(name), name]))
  return Object.fromEntries(
    Object.entries(tensors).map(([name, leaf]) => {
      if (typeof leaf === "number") return [name, { shape: [], data: [leaf] }]
      const laid = tf.tidy(() => there(names.get(name) ?? name, leaf).clone())
      const data = Float32Array.from(laid.dataSync())
      laid.dispose()
      return [name, { shape: laid.shape, data }]
    })
  )
}

/** Descent that notes the gradients of some steps. */
const watched = (
  optimizer: Optimizer.Optimizer,
  note: (step: number, gradients: Optimizer.Named<tf.Tensor | null>) => void
) => ({
  ...optimizer,
  update: (...[state, parameters, gradients]: Parameters<Optimizer.Optimizer["update"]>) => {
    note(state.steps, gradients)
    return optimizer.update(state, parameters, gradients)
  }
})

/** A gradient that never arrived and zeros are the absence of a slope. */
const gradientDifferences = (path: string, wanted: Record<string, any>, got: Values): ReadonlyArray<Difference> =>
  Object.entries(wanted).flatMap(([name, written]) => {
    const found = got[Answer.nameOf(name)]?.data ?? [0]
    return differing(`${path} ${name}`, written?.data ?? [0], found)
  })

const trained = (testCase: Case): Effect.Effect<Outcome, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { config, inputs, outputs, grads } = testCase
      const lossOf = losses[config.loss]
      if (lossOf === undefined) return unsupported(`no loss ${config.loss}`)
      const told: { undecided?: number; step: number } = { step: 0 }
      const model = yield* Network.make(config.model, () => {
        told.undecided ??= told.step
      })
      const given = Object.entries<any>(inputs.params).map(
        ([name, written]) =>
          [name, isWeight(name) ? Layout.ours(Layout.outputLast, tensorOf(written)) : tensorOf(written)] as const
      )
      yield* State.load(model, Object.fromEntries(given), "float")
      const found: Array<Difference> = []
      const noted = new Map<number, Values>()
      const { lr, momentum } = config.optimizer
      const optimizer = watched(Optimizer.sgd(lr, { momentum }), (step, gradients) => {
        const theirs = grads[`step${step}`]
        const there = Object.entries(gradients).filter((entry): entry is [string, tf.Tensor] => entry[1] !== null)
        if (theirs !== undefined) noted.set(step, read(Object.fromEntries(there), theirs))
      })
      const trainer = yield* Trainer.make(model, optimizer)
      const start = inputs.quantizer_params_at_start
      found.push(...named("at the start", start, read(Trainer.parameters(trainer), start)))
      const batches = inputs.x.map((x: any, i: number) => {
        const y = inputs.y[i]
        return {
          x: Layout.ours(Layout.channelsLast, tensorOf(x)),
          y: y.dtype === "int32" ? tf.tensor1d(y.data, "int32") : tensorOf(y)
        }
      })
      for (let i = 0; i < config.steps; i++) {
        const { x, y } = batches[i % batches.length]
        told.step = i
        const loss = yield* Trainer.step(trainer, x, (output) => {
          if (i === 0) found.push(...differing("first output", outputs.first_output.data, output.dataSync()))
          return lossOf(output, y)
        })
        found.push(...differing(`loss ${i}`, [outputs.losses[i]], [loss]))
      }
      for (const [step, gradients] of noted)
        found.push(...gradientDifferences(`gradient of step ${step}:`, grads[`step${step}`], gradients))
      const parameters = read(Trainer.parameters(trainer), outputs.final_params)
      found.push(...named("at the end", outputs.final_params, parameters))
      const remembered = read(Answer.stateOf(model, Layer.read(model)), outputs.final_state)
      const state = Object.entries<any>(outputs.final_state).map(([name, written]) => [name, numbersOf(written)])
      found.push(...named("at the end", Object.fromEntries(state), remembered))
      const y = yield* Layer.forward(model, batches[0].x)
      found.push(...differing("in evaluation", outputs.eval_output_batch0.data, QuantTensor.dequantized(y).dataSync()))
      tf.dispose([...Layer.tensorsIn(y)])
      if (MutableRef.get(trainer.state).steps !== config.steps) return failed("another number of steps")
      return explained(testCase, found, told.undecided)
    })
  )

/** What the differences come to; from an undecided step on there are two ways to go. */
const explained = (testCase: Case, found: ReadonlyArray<Difference>, undecided: number | undefined): Outcome => {
  const differing = found.map(({ path }) => path)
  const rule =
    found.length === 0 ? undefined : Deviations.explaining(testCase, testCase.outputs, { differing, undecided })
  return rule === undefined ? outcomeOf(testCase, found) : deviation(rule.id)
}

/** What the reference writes of a state: a tensor, a count, or a flag. */
const numbersOf = (written: any): Values[string] =>
  typeof written === "object" ? written : { shape: [], data: [Number(written)] }

export const replay: Replay = (testCase, backend) => {
  const unknown = Network.unknownIn(testCase.config.model)
  if (unknown.length > 0) return Promise.resolve(unsupported(`no layer ${unknown.join(", ")}`))
  return on(backend, () => Effect.runSync(trained(testCase)))
}
