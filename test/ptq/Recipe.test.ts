/** Recipes: data that is checked, compared, and followed to the same bits. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Pattern from "../../src/ptq/Pattern.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as Recipe from "../../src/ptq/Recipe.ts"
import * as Recipes from "../../src/ptq/Recipes.ts"
import * as Steps from "../../src/ptq/Steps.ts"
import * as Structure from "../../src/ptq/Structure.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as LeasedRef from "../../src/tensor/LeasedRef.ts"
import * as Random from "../../src/tensor/Random.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(effect)
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer))
  )

/** A network as the commands have them: quant tensors between layers, biases on the grid of their sums. */
const network = Effect.gen(function* () {
  const learned = { biasQuant: ScaledInt.Int32Bias, weightQuant: ScaledInt.Int8WeightPerTensorFloat }
  return Model.sequential({
    input: yield* Activation.quantIdentity({ returnQuantTensor: true }),
    fc1: yield* Linear.quantLinear({ inFeatures: 40, outFeatures: 16, seed: 1, ...learned }),
    relu: yield* Activation.quantReLU({ returnQuantTensor: true }),
    fc2: yield* Linear.quantLinear({ inFeatures: 16, outFeatures: 3, seed: 2, ...learned })
  })
})

const batches: Ptq.Batches = Stream.make(
  ...[1, 2].map((seed) => () => tf.tensor2d(Random.normal(Random.make(seed), 64 * 40, 0, 1), [64, 40]))
)

const stateOf = (model: Layer.Stateful) => Effect.map(State.extract(model), (state) => JSON.stringify(state))

const base: Recipe.Recipe = { name: "mine", quantizers: [], steps: [] }
const refusalOf = (recipe: object) =>
  Effect.map(Effect.flip(Recipe.fromJson({ ...base, ...recipe })), ({ place, nearest, message }) => ({
    place,
    nearest,
    message
  }))

describe("a pattern", () => {
  it.each([
    ["fc1.weightQuant", "fc1.weightQuant", true],
    ["fc1.weightQuant", "fc1.weightQuantX", false],
    ["*.weightQuant", "block.fc1.weightQuant", true],
    ["*weightQuant", "weightQuant", true],
    ["block*.fc*.weightQuant", "block.2.fc1.weightQuant", true],
    ["block*.fc*.weightQuant", "block.fc1.biasQuant", false],
    ["*ab*ab", "ab", false],
    ["*ab*ab", "abab", true],
    ["a*", "a", true],
    ["*", "", true]
  ])("%s and %s: %s", (pattern, name, wanted) => expect(Pattern.fits(pattern, name)).toBe(wanted))
})

describe("a recipe", () => {
  it("is its text again", () =>
    run(
      Effect.forEach(Object.values(Recipes.all), (recipe) =>
        Effect.map(Recipe.decode(Recipe.encode(recipe)), (again) => {
          expect(again).toEqual(recipe)
          expect(Recipe.diff(recipe, again)).toEqual([])
        })
      )
    ))
  it("says where it differs from another", () => {
    const a = { ...base, steps: [{ step: "gptq", options: { actOrder: true } }] }
    const b = { ...base, steps: [{ step: "gptq", options: { damping: 0.1 } }, { step: "calibrate" }] }
    expect(Recipe.diff(a, b)).toEqual([
      { place: "steps[0].options.actOrder", before: true, after: undefined },
      { place: "steps[0].options.damping", before: undefined, after: 0.1 },
      { place: "steps[1]", before: undefined, after: { step: "calibrate" } }
    ])
  })
  it("is refused with the place in it and the nearest name", () =>
    run(
      Effect.gen(function* () {
        const quantizer = (one: object) => refusalOf({ quantizers: [{ match: "*", ...one }] })
        expect(yield* quantizer({ quantizer: "Int8WeightPerTensorFloatt" })).toMatchObject({
          place: "quantizers[0].quantizer",
          nearest: "Int8WeightPerTensorFloat"
        })
        const misspelt = yield* quantizer({ quantizer: "Int8WeightPerTensorFloat", options: { bitwidth: 4 } })
        expect(misspelt.place).toBe("quantizers[0].options")
        expect(misspelt.message).toContain('did you mean "bitWidth"')
        const stray = yield* quantizer({
          quantizer: "Int8WeightPerTensorFloat",
          options: { scalingImplType: "parameterFromStat" }
        })
        expect(stray.message).toContain('did you mean "parameterFromStats"')
        const step = (one: object) => refusalOf({ steps: [{ step: "calibrate" }, one] })
        expect(yield* step({ step: "gtpq" })).toMatchObject({ place: "steps[1].step", nearest: "gptq" })
        expect(yield* step({ step: "gptq", options: { actorder: true } })).toMatchObject({
          place: "steps[1].options.actorder",
          nearest: "actOrder"
        })
        expect((yield* step({ step: "gptq", options: { damping: -1 } })).message).toContain("damping")
        expect((yield* refusalOf({ step: [] })).message).toContain("step")
        expect((yield* Effect.flip(Recipe.decode("{", "x.json"))).message).toContain("recipe x.json: is no JSON")
        expect(yield* Effect.flip(Recipes.find("int4-gtpq"))).toMatchObject({ nearest: "int4-gptq" })
      })
    ))
  it("is refused for a model that has nothing of a pattern, before anything runs", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const recipe = { ...base, quantizers: [{ match: "fc3.weightQuant", quantizer: null }] }
        const error = yield* Effect.flip(Recipe.run(recipe, Stream.die("not asked for"))(model))
        expect(error).toMatchObject({ _tag: "InvalidRecipe", place: "quantizers[0].match", nearest: "fc1.weightQuant" })
        const optional = { ...base, quantizers: [{ match: "fc3.weightQuant", quantizer: null, optional: true }] }
        expect(yield* stateOf(yield* Recipe.run(optional, batches)(model))).toBe(yield* stateOf(model))
      })
    ))
  it("gives each name the last quantizer that fits, and lets weights begin anew where asked", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const before = yield* stateOf(model)
        const per = (bitWidth: number) => ({
          quantizer: "Int8WeightPerChannelFloat",
          options: { bitWidth, scalingImplType: "parameterFromStats" }
        })
        const recipe: Recipe.Recipe = {
          ...base,
          quantizers: [
            { match: "*weightQuant", ...per(4) },
            { match: "fc2.*", ...per(8) },
            { match: "fc2.biasQuant", quantizer: null }
          ],
          steps: [{ step: "reinitialize", options: { match: "fc1.*" } }]
        }
        const next = yield* Recipe.run(recipe, batches)(model)
        const bits = (name: string) => {
          const proxy = next.proxies.find(([one]) => one === name)?.[1]
          return proxy && LeasedRef.current(proxy.cell).injector?.table.bitWidth
        }
        expect([bits("fc1.weightQuant"), bits("fc2.weightQuant"), bits("fc2.biasQuant")]).toEqual([4, 8, undefined])
        expect(yield* stateOf(model)).toBe(before)
      })
    ))
  it("puts quantizers where there were none: a float model becomes a quantized one, and is read back", () =>
    run(
      Effect.gen(function* () {
        const float = (seed: number) =>
          Effect.gen(function* () {
            const plain = { weightQuant: null } as const
            return Model.sequential({
              fc1: yield* Linear.quantLinear({ inFeatures: 40, outFeatures: 16, seed, ...plain }),
              relu: Model.relu,
              fc2: yield* Linear.quantLinear({ inFeatures: 16, outFeatures: 3, seed: seed + 1, ...plain })
            })
          })
        const recipe: Recipe.Recipe = {
          ...base,
          quantizers: [
            { match: "*weightQuant", quantizer: "Int8WeightPerChannelFloat" },
            { match: "*inputQuant", quantizer: "Int8ActPerTensorFloat" },
            { match: "*biasQuant", quantizer: "Int32Bias" },
            { match: "fc1.biasQuant", quantizer: null }
          ],
          steps: [{ step: "calibrate" }]
        }
        const model = yield* float(1)
        const { model: next, structure } = yield* Recipe.follow(recipe, batches)(model)
        expect(next.proxies.map(([name]) => name)).toEqual([
          "fc1.weightQuant",
          "fc1.inputQuant",
          "fc2.weightQuant",
          "fc2.biasQuant",
          "fc2.inputQuant"
        ])
        expect(model.proxies).toEqual([])
        const learned = yield* State.extract(next)
        const { "fc1.inputQuant.scalingImpl.value": scale } = learned
        expect(scale).toBeDefined()
        const again = yield* Structure.rebuilt(structure)(yield* float(7))
        yield* State.load(again, learned, "strict")
        expect(yield* stateOf(again)).toBe(yield* stateOf(next))
        const missing = { ...base, quantizers: [{ match: "fc3.weightQuant", quantizer: "Int32Bias" }] }
        const error = yield* Effect.flip(Recipe.run(missing, batches)(model))
        expect(error.message).toContain('did you mean "fc1.weightQuant"')
      })
    ))
  it("leaves the model as it was and nothing behind when a step fails", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const before = yield* stateOf(model)
        const count = tf.memory().numTensors
        const bad = Stream.make(() => tf.fill([4, 40], Number.NaN))
        const recipe = yield* Recipes.find("int4-gptq")
        for (const stream of [bad, Stream.empty] as ReadonlyArray<Ptq.Batches>)
          expect(["NonFiniteActivations", "NoCalibrationData"]).toContain(
            (yield* Effect.flip(Effect.scoped(Recipe.run(recipe, stream)(model))))._tag
          )
        expect(yield* stateOf(model)).toBe(before)
        expect(tf.memory().numTensors).toBe(count)
      })
    ))
})

/** The same recipe, which learns for a moment only. */
const brief = (recipe: Recipe.Recipe): Recipe.Recipe => ({
  ...recipe,
  steps: recipe.steps.map(({ step, options }) =>
    options !== undefined && "iterations" in options
      ? { step, options: { ...options, iterations: 10 } }
      : { step, ...(options && { options }) }
  )
})

describe.each(Object.entries(Recipes.all).map(([name, recipe]) => [name, brief(recipe)] as const))(
  "the recipe %s",
  (name, recipe) => {
    it("names steps that there are, and gives the same bits again", () =>
      run(
        Effect.gen(function* () {
          for (const { step } of recipe.steps) expect(Steps.names).toContain(step)
          const model = yield* network
          const before = yield* stateOf(model)
          const [a, b] = [yield* Recipe.run(recipe, batches)(model), yield* Recipe.run(recipe, batches)(model)]
          expect(yield* stateOf(a)).toBe(yield* stateOf(b))
          expect(yield* stateOf(a)).not.toBe(before)
          expect(yield* stateOf(model)).toBe(before)
          const x = tf.tensor2d(Random.normal(Random.make(9), 8 * 40, 0, 1), [8, 40])
          const y = yield* Layer.forward(a, x)
          const values = Layer.tensorsIn(y).flatMap((one) => [...one.dataSync()])
          expect(values.every(Number.isFinite)).toBe(true)
          tf.dispose([x, ...Layer.tensorsIn(y)])
          expect(recipe.needsTraining === undefined).toBe(name !== "binary")
        })
      ))
  }
)

describe("every step that recipes may name", () => {
  const options: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    adaRound: { iterations: 5 },
    autoRound: { iterations: 5 },
    lowRank: { rank: 2 },
    rotate: { kind: "orthogonal", seed: 3 },
    absorbBias: { deviations: "least" },
    gptq: { accumulator: { bitWidth: 20 } },
    rotateOnline: { layers: ["fc2"] },
    mixedPrecision: {
      candidates: [4, 8].map((bitWidth) => ({ quantizer: "Int8WeightPerChannelFloat", options: { bitWidth } })),
      budget: { of: "size", mean: 5 }
    }
  }
  // what stands before a layer answers no integers, on whose scale a bias could lie
  const float = ["rotateOnline", "activationEqualizeLayerwise"]
  const weights = {
    match: "*weightQuant",
    quantizer: "Int8WeightPerChannelFloat",
    options: { bitWidth: 4, scalingImplType: "parameterFromStats" }
  }
  it.each(Steps.names)("%s runs by its name, and leaves the model as it was", (step) =>
    run(
      Effect.gen(function* () {
        const given = options[step]
        const recipe = yield* Recipe.fromJson({
          ...base,
          quantizers: [weights, ...(float.includes(step) ? [{ match: "*biasQuant", quantizer: null }] : [])],
          steps: [{ step: "calibrate" }, { step, ...(given && { options: given }) }]
        })
        const model = yield* network
        const before = yield* stateOf(model)
        const next = yield* Recipe.run(recipe, batches)(model)
        expect(yield* stateOf(model)).toBe(before)
        const x = tf.tensor2d(Random.normal(Random.make(9), 8 * 40, 0, 1), [8, 40])
        const y = yield* Layer.forward(next, x)
        expect(Layer.tensorsIn(y).every((one) => one.dataSync().every(Number.isFinite))).toBe(true)
        tf.dispose([x, ...Layer.tensorsIn(y)])
      })
    )
  )
  it("refuses what an option cannot be, with its name", () =>
    run(
      Effect.gen(function* () {
        const wrong = (step: string, given: object) => refusalOf({ steps: [{ step, options: given }] })
        expect((yield* wrong("lowRank", {})).message).toContain("rank")
        expect((yield* wrong("rotate", { kind: "hadamar" })).message).toContain("hadamard")
        const candidates = [{ quantizer: "Int8WeightPerChannelFloatt" }]
        const mixed = yield* wrong("mixedPrecision", { candidates, budget: { of: "size", mean: 4 } })
        expect(mixed.message).toContain('did you mean "Int8WeightPerChannelFloat"')
        expect((yield* wrong("mixedPrecision", { candidates: [], budget: { of: "size", mean: 4 } })).message).toContain(
          "must be one at least"
        )
        expect((yield* wrong("gptq", { accumulator: { bitWidth: 0 } })).message).toContain("bitWidth")
      })
    ))
})
