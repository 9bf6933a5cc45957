/**
 * What every entry of the catalogue makes of values that are no ordinary numbers: NaN stays NaN, infinity never becomes a small
 * number, zeros stay finite, nothing at all stays nothing; and nothing leaks.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import type { Module } from "../../src/core/Module.ts"
import type { TensorQuantizer } from "../../src/core/TensorQuantizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"
import { externalOf, inputOf, layer, options } from "./Subjects.ts"

const place = 5

/** The input with another value at one place, all zeros, or empty. */
const changed = {
  nan: (x: tf.Tensor) => replaced(x, Number.NaN),
  infinity: (x: tf.Tensor) => replaced(x, Number.POSITIVE_INFINITY),
  zeros: (x: tf.Tensor) => tf.zerosLike(x),
  empty: (x: tf.Tensor) => tf.zeros([0, ...x.shape.slice(1)])
}
const replaced = (x: tf.Tensor, value: number): tf.Tensor => {
  const data = Float32Array.from(x.dataSync())
  data[data.length > place ? place : 1] = value
  return tf.tensor(data, x.shape)
}

interface Answer {
  readonly shape: ReadonlyArray<number>
  readonly input: ReadonlyArray<number>
  /** after one training call, and in evaluation after it */
  readonly values: ReadonlyArray<ReadonlyArray<number>>
}

const answers = (entry: Injector.Any, kind: keyof typeof changed): Promise<Answer | undefined> => {
  const program = Effect.gen(function* () {
    const before = tf.memory().numTensors
    const seen: { answer: Answer | undefined } = { answer: undefined }
    const module = layer("Linear", [64, 4])
    const plain = tf.tidy(() => inputOf(entry, module))
    const x = tf.tidy(() => changed[kind](plain))
    const external = kind === "empty" ? { ...externalOf(undefined) } : externalOf(Catalogue.facts(entry).slot)
    const weights = Catalogue.facts(entry).slot === "bias" ? { bias: x } : { weight: x }
    const facts: Module = Catalogue.facts(entry).slot === "activation" ? module : { ...module, ...weights }
    const resolved = yield* Effect.scoped(
      Effect.map(Injector.resolveUnknown(entry, ["tensorQuant"], options(entry, facts)), ({ tensorQuant }) => {
        if (tensorQuant === undefined) return
        tf.tidy(() => {
          const quantizer = tensorQuant as TensorQuantizer
          const start = { parameters: quantizer.parameters, memory: quantizer.memory, training: true, tracked: [x] }
          const state = { ...start, ...quantizer.prepare(start) }
          const [trained, memory] = quantizer.apply(state, x, external)
          const [evaluated] = quantizer.apply({ ...state, memory, training: false }, x, external)
          const values = [trained.value, evaluated.value].map((value) => [...value.dataSync()])
          seen.answer = { shape: trained.value.shape, input: [...x.dataSync()], values }
        })
      })
    ).pipe(Effect.result)
    tf.dispose([module.weight, module.bias, plain, x, external] as never)
    expect(tf.memory().numTensors).toBe(before)
    // what begins as a logarithm of a norm cannot begin with that of 0 or NaN
    if (Result.isFailure(resolved))
      expect([entry.name, resolved.failure]).toMatchObject([
        expect.stringMatching(/WeightNorm|AccumulatorAware/),
        { _tag: "ConstructionFailed", cause: { _tag: "InvalidOptions" } }
      ])
    return seen.answer
  })
  return Effect.runPromise(Effect.provide(program, Backend.layer))
}

describe.each(Object.entries(Catalogue.entries))("%s", (_, entry) => {
  it("keeps NaN", async () => {
    const answer = await answers(entry, "nan")
    if (answer === undefined) return
    const at = answer.input.findIndex(Number.isNaN)
    for (const values of answer.values) expect(values[at]).toBe(Number.NaN)
  })
  it("does not make infinity small", async () => {
    const answer = await answers(entry, "infinity")
    if (answer === undefined) return
    const at = answer.input.indexOf(Number.POSITIVE_INFINITY)
    for (const values of answer.values) {
      const largest = Math.max(...values.filter(Number.isFinite))
      const value = values[at] as number
      expect(Number.isNaN(value) || value >= largest).toBe(true)
    }
  })
  it("makes finite numbers of zeros", async () => {
    const answer = await answers(entry, "zeros")
    // decoupled scales have no minimum, as in the original: zero by zero is NaN, and is seen to be
    const decoupled = Object.hasOwn(Catalogue.families.Decoupled ?? {}, entry.name)
    for (const values of answer?.values ?? [])
      expect(values.every((v) => Number.isFinite(v) || (decoupled && Number.isNaN(v)))).toBe(true)
  })
  it("makes nothing of nothing", async () => {
    const answer = await answers(entry, "empty")
    if (answer !== undefined) expect(answer.values.every((values) => values.length === 0)).toBe(true)
  })
})
