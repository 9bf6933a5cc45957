import * as tf from "@tensorflow/tfjs-core"
import { Deferred, Effect, Fiber, pipe, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Module from "../../src/core/Module.ts"
import * as Scaling from "../../src/core/Scaling.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Weighted from "../../src/nn/Weighted.ts"
import { Int8WeightPerTensorFloat } from "../../src/quant/ScaledInt.ts"

/** Runs the body in a Scope and expects that it leaves no tensor behind. */
const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })

/** A tensor of the test's own, for as long as its Scope. */
const owned = (make: () => tf.Tensor): Effect.Effect<tf.Tensor, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (tensor) => Effect.sync(() => tensor.dispose()))
const numbers = (tensor: tf.Tensor | undefined): ReadonlyArray<number> => Array.from((tensor as tf.Tensor).dataSync())

/** A learned weight scale that begins as the largest magnitude of the weight. */
const Learned = pipe(
  Int8WeightPerTensorFloat,
  Injector.let({ signed: true, scalingImpl: Scaling.ParameterScaling }),
  Injector.merge(
    Injector.make("Learned", {
      scalingInit: Brick.tensor(["module"], (m: Module.Module) => tf.max(tf.abs(m.weight)))
    })
  )
)
const scaleName = "weightQuant.scalingImpl.value"
const linear = Effect.suspend(() => Linear.quantLinear({ inFeatures: 2, outFeatures: 1, weightQuant: Learned }))
const weights = (...values: ReadonlyArray<number>) => owned(() => tf.tensor2d([...values], [values.length, 1]))

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`State on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    scopedTest("a model that is used, trained and loaded leaves no tensor behind", () =>
      Effect.gen(function* () {
        const conv1 = yield* Convolution.quantConv2d({
          inChannels: 1,
          outChannels: 2,
          kernelSize: [3, 3],
          weightQuant: Learned
        })
        const conv2 = yield* Convolution.quantConv2d({ inChannels: 2, outChannels: 1, kernelSize: [3, 3] })
        const input = yield* Activation.quantIdentity()
        const model = Model.sequential({ input, conv1, conv2 })
        const x = yield* owned(() => tf.randomNormal([2, 7, 7, 1]))
        for (const mode of [Layer.training, Layer.training, Layer.evaluation]) {
          const y = yield* Layer.forward(model, x, mode)
          expect(Layer.read(model).size).toBe(5)
          yield* Effect.sync(() => tf.dispose(y as tf.Tensor))
        }
        const quantized = yield* Weighted.quantWeight(conv1)
        tf.dispose([quantized.value, quantized.scale, quantized.zeroPoint, quantized.bitWidth])
        const w = yield* owned(() => tf.ones([3, 3, 1, 2]))
        yield* State.load(model, { "conv1.weight": w })
      })
    )

    scopedTest("loads what fits and reports the rest", () =>
      Effect.gen(function* () {
        const layer = yield* linear
        const bias = numbers((yield* State.parameters(layer)).bias)
        const [weight, other] = [yield* weights(3, -5), yield* weights(1)]
        const loaded = yield* State.load(layer, { weight, elsewhere: other })
        expect(loaded).toEqual({ adopted: ["weight"], missing: ["bias", scaleName], unexpected: ["elsewhere"] })
        const after = yield* State.parameters(layer)
        expect(numbers(after.weight)).toEqual([3, -5])
        expect(numbers(after.bias)).toEqual(bias)
        expect(after.weight).not.toBe(weight)
      })
    )

    scopedTest("resolves the quantizer anew for the new weights", () =>
      Effect.gen(function* () {
        const layer = yield* linear
        yield* State.load(layer, { weight: yield* weights(0.5, -2.54) })
        expect(numbers((yield* State.parameters(layer))[scaleName])[0]).toBeCloseTo(2.54, 6)
        yield* State.load(layer, { weight: yield* weights(12.7, 1.04) })
        expect(numbers((yield* State.parameters(layer))[scaleName])[0]).toBeCloseTo(12.7, 5)
        const quantized = yield* Weighted.quantWeight(layer)
        // narrow 8 bits: scale 12.7 / 127 = 0.1
        expect(numbers(quantized.scale)[0]).toBeCloseTo(0.1, 6)
        expect(numbers(quantized.value)[0]).toBeCloseTo(12.7, 5)
        expect(numbers(quantized.value)[1]).toBeCloseTo(1, 6)
        tf.dispose([...[quantized.value, quantized.scale, quantized.zeroPoint, quantized.bitWidth]])
      })
    )

    scopedTest("a learned scale in the state wins over the one that the new weights give", () =>
      Effect.gen(function* () {
        const layer = yield* linear
        const state = {
          weight: yield* weights(0.5, -2.54),
          bias: yield* owned(() => tf.tensor1d([7])),
          [scaleName]: yield* owned(() => tf.scalar(254))
        }
        const loaded = yield* State.load(layer, state, "strict")
        expect([...loaded.adopted].sort()).toEqual(["bias", "weight", scaleName])
        const after = yield* State.parameters(layer)
        expect([after.weight, after.bias, after[scaleName]].flatMap(numbers)).toEqual([0.5, Math.fround(-2.54), 7, 254])
        const y = yield* Layer.forward(layer, yield* owned(() => tf.tensor2d([[1, 1]])))
        // scale 254 / 127 = 2: 0.5 becomes 0 and -2.54 becomes -2
        expect(numbers(y as tf.Tensor)).toEqual([5])
        tf.dispose(y as tf.Tensor)
      })
    )

    scopedTest("what is loaded is a copy", () =>
      Effect.gen(function* () {
        const layer = yield* linear
        const weight = tf.tensor2d([[1], [2]])
        yield* State.load(layer, { weight })
        weight.dispose()
        expect(numbers((yield* State.parameters(layer)).weight)).toEqual([1, 2])
      })
    )

    scopedTest("the parameters of one layer load into another", () =>
      Effect.gen(function* () {
        const [from, to] = [
          yield* linear,
          yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, seed: 5, weightQuant: Learned })
        ]
        expect(numbers((yield* State.parameters(to)).weight)).not.toEqual(
          numbers((yield* State.parameters(from)).weight)
        )
        yield* State.load(to, yield* State.parameters(from), "strict")
        const [a, b] = [yield* State.parameters(from), yield* State.parameters(to)]
        expect(Object.keys(b)).toEqual(Object.keys(a))
        for (const name of Object.keys(a)) expect(numbers(b[name])).toEqual(numbers(a[name]))
      })
    )

    /** Runs a load that fails and expects that it changed nothing. */
    const refused = <A, E>(layer: Layer.Layer, load: Effect.Effect<A, E>) =>
      Effect.gen(function* () {
        const values = (state: State.StateDict) =>
          Object.entries(state).map(([name, tensor]) => [name, numbers(tensor)])
        const [before, read] = [values(yield* State.parameters(layer)), Layer.read(layer)]
        const error = yield* Effect.flip(load)
        expect(values(yield* State.parameters(layer))).toEqual(before)
        expect([...Layer.read(layer).values()]).toEqual([...read.values()])
        return error
      })

    scopedTest("strict wants all names and no other", () =>
      Effect.gen(function* () {
        const layer = yield* linear
        const weight = yield* weights(1, 2)
        expect(yield* refused(layer, State.load(layer, { weight }, "strict"))).toMatchObject({
          _tag: "MissingKeys",
          keys: ["bias", scaleName],
          policy: "strict"
        })
        const state = { ...(yield* State.parameters(layer)), weigth: weight, zzzzzzzz: weight }
        const error = yield* refused(layer, State.load(layer, state, "strict"))
        expect(error).toMatchObject({
          _tag: "UnexpectedKeys",
          keys: ["weigth", "zzzzzzzz"],
          nearest: ["weight", undefined]
        })
        expect(error.message).toContain('"weigth" (near "weight"), "zzzzzzzz"')
      })
    )

    scopedTest("float lets the quantizers lack keys, but not the layer", () =>
      Effect.gen(function* () {
        const layer = yield* linear
        const [weight, bias] = [yield* weights(1, 2), yield* owned(() => tf.tensor1d([3]))]
        expect(yield* refused(layer, State.load(layer, { weight }, "float"))).toMatchObject({
          _tag: "MissingKeys",
          keys: ["bias"]
        })
        expect(yield* refused(layer, State.load(layer, { weight, bias, x: bias }, "float"))).toMatchObject({
          _tag: "UnexpectedKeys",
          keys: ["x"]
        })
        expect(yield* State.load(layer, { weight, bias }, "float")).toEqual({
          adopted: ["weight", "bias"],
          missing: [scaleName],
          unexpected: []
        })
        expect(numbers((yield* State.parameters(layer))[scaleName])).toEqual([2])
      })
    )

    scopedTest("a weight must have the layer's shape, a quantizer's parameter its size", () =>
      Effect.gen(function* () {
        const layer = yield* linear
        const row = yield* owned(() => tf.tensor2d([[1, 2]]))
        expect(yield* refused(layer, State.load(layer, { weight: row }))).toMatchObject({
          _tag: "ShapeMismatch",
          what: 'state "weight"',
          expected: "[2, 1]",
          actual: [1, 2]
        })
        expect(yield* refused(layer, State.load(layer, { [scaleName]: row }))).toMatchObject({ _tag: "ShapeMismatch" })
        yield* State.load(layer, { [scaleName]: yield* weights(4) })
        const scale = (yield* State.parameters(layer))[scaleName]
        expect([scale?.shape, numbers(scale)]).toEqual([[], [4]])
      })
    )

    /** A quantizer that refuses weights above 10 and waits, from the second resolution on, for `gate`. */
    const guarded = (gate: Effect.Effect<void>) => {
      const resolutions = { count: 0 }
      return pipe(
        Learned,
        Injector.let({
          scalingInit: Injector.valueEffect(["module"], (m: Module.Module) =>
            Effect.suspend(() => {
              const [largest] = tf.tidy(() => tf.max(tf.abs(m.weight)).dataSync())
              resolutions.count += 1
              if (Number(largest) > 10) return Effect.die("too large")
              return resolutions.count === 1 ? Effect.succeed(1) : Effect.as(gate, Number(largest))
            })
          )
        })
      ) as Injector.Any
    }

    scopedTest("a quantizer that cannot be resolved for the new weights keeps everything as it was", () =>
      Effect.gen(function* () {
        const Refusing = pipe(
          Learned,
          Injector.let({
            scalingInit: Brick.tensor(["module"], (m: Module.Module) => {
              if (Number(tf.max(m.weight).dataSync()[0]) > 10) throw new Error("too large")
              return tf.max(tf.abs(m.weight))
            })
          })
        )
        const options = { inFeatures: 2, outFeatures: 1, weightQuant: Refusing }
        const model = Model.sequential({
          a: yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 2, weightQuant: Learned }),
          b: yield* Linear.quantLinear(options)
        })
        const state = { "a.weight": yield* owned(() => tf.ones([2, 2])), "b.weight": yield* weights(11, 1) }
        expect(yield* refused(model, State.load(model, state))).toMatchObject({
          _tag: "ConstructionFailed",
          attribute: "scalingInit"
        })
      })
    )

    scopedTest("an interrupted load changes nothing", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const weightQuant = guarded(Deferred.await(gate))
        const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, weightQuant })
        const before = [...Layer.read(layer).values()]
        const weight = yield* weights(1, 2)
        const loading = yield* Effect.forkChild(State.load(layer, { weight }), { startImmediately: true })
        yield* Effect.yieldNow
        yield* Fiber.interrupt(loading)
        expect([...Layer.read(layer).values()]).toEqual(before)
      })
    )

    scopedTest("a load keeps what was learned while its quantizers were resolved", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const weightQuant = guarded(Deferred.await(gate))
        const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, weightQuant })
        const loading = yield* Effect.forkChild(State.load(layer, { weight: yield* weights(1, 2) }), {
          startImmediately: true
        })
        yield* Effect.yieldNow
        // a training step moves the bias
        const states = Layer.read(layer)
        const own = Layer.stateOf(states, layer.own)
        Layer.commit(
          new Map(states).set(layer.own, { ...own, parameters: { ...own.parameters, bias: tf.tensor1d([42]) } })
        )
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(loading)
        const { weight, bias } = yield* State.parameters(layer)
        expect([numbers(weight), numbers(bias)]).toEqual([[1, 2], [42]])
      })
    )

    scopedTest("a shared proxy is loaded once, under the name of either layer", () =>
      Effect.gen(function* () {
        const Shared = pipe(
          Learned,
          Injector.let({
            scalingInit: Brick.tensor(["module"], (modules: Module.Modules) =>
              tf.max(tf.abs(tf.concat(Module.list(modules).map((m) => tf.reshape(m.weight, [-1])))))
            )
          })
        )
        const a = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, weightQuant: Shared as Injector.Any })
        const b = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, weightQuant: a.weightQuant ?? null })
        const model = Model.sequential({ a, b })
        expect(a.weightQuant?.cell).toBe(b.weightQuant?.cell)
        const loaded = yield* State.load(model, { [`b.${scaleName}`]: yield* owned(() => tf.scalar(3)) })
        expect(loaded.adopted).toEqual([`b.${scaleName}`])
        const after = yield* State.parameters(model)
        expect([after[`a.${scaleName}`], after[`b.${scaleName}`]].map(numbers)).toEqual([[3], [3]])
        yield* State.load(model, { "a.weight": yield* weights(1, -2), "b.weight": yield* weights(5, 4) })
        expect(numbers((yield* State.parameters(model))[`a.${scaleName}`])).toEqual([5])
        yield* State.load(b, { weight: yield* weights(0, 1) })
        expect(numbers((yield* State.parameters(model))[`a.${scaleName}`])).toEqual([2])
      })
    )
  })
