/** Taking states out and loading them again: the same bits, whatever they hold, and all or nothing. */
import * as tf from "@tensorflow/tfjs-core"
import { Deferred, Effect, Fiber, pipe, Result, type Scope } from "effect"
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import type * as Module from "../../src/core/Module.ts"
import * as Safetensors from "../../src/exchange/Safetensors.ts"
import * as StateJson from "../../src/exchange/StateJson.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as QuantProxy from "../../src/proxy/QuantProxy.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"
import { Int8ActPerTensorFloat, Int8WeightPerTensorFloat } from "../../src/quant/ScaledInt.ts"
import * as Stored from "../../src/tensor/Stored.ts"

const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })
const owned = (make: () => tf.Tensor): Effect.Effect<tf.Tensor, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (tensor) => Effect.sync(() => tensor.dispose()))
const run = (layer: Layer.Layer, x: tf.Tensor, mode: Layer.Mode) =>
  Effect.map(Layer.forward(layer, x, mode), (y) => {
    const values = [...("value" in y ? y.value : y).dataSync()]
    tf.dispose("value" in y ? [y.value, y.scale, y.zeroPoint, y.bitWidth] : y)
    return values
  })
const trained = (layer: Layer.Layer, x: tf.Tensor, steps: number) =>
  Effect.forEach(Array.from({ length: steps }), () => run(layer, x, Layer.training), { discard: true })

const valueName = "actQuant.scalingImpl.value"
const identity = Activation.quantIdentity({ act: { collectStatsSteps: 2 } })
const some = owned(() => tf.tensor2d([0.5, -1, 0.25, 2, -0.75, 1, 1, 0.1, -0.4, 0.9, 0.3, -2], [2, 6]))
/** A learned scale that begins at 1. */
const Learned = pipe(Int8WeightPerTensorFloat, Injector.let({ scalingImplType: "parameter", scalingInit: 1 })) as never

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`State.extract on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    scopedTest("leaves out a learned value that waits, and has one that has begun as what it becomes", () =>
      Effect.gen(function* () {
        const [act, x] = [yield* identity, yield* some]
        const value = Effect.map(State.extract(act), (state) => {
          const stored = state[valueName]
          return stored === undefined ? undefined : Stored.floats(stored)[0]
        })
        expect(Object.keys(yield* State.extract(act))).toEqual([])
        yield* trained(act, x, 1)
        const begun = yield* value
        expect(begun).toBe(2)
        yield* trained(act, x, 2)
        expect(yield* value).toBe((yield* State.parameters(act))[valueName]?.dataSync()[0])
        // what is waiting is wanted all the same
        const fresh = yield* identity
        expect(yield* Effect.flip(State.load(fresh, {}, "strict"))).toMatchObject({ keys: [valueName] })
      })
    )

    scopedTest("what is loaded counts as learned: nothing is collected any more", () =>
      Effect.gen(function* () {
        const [from, to, x] = [yield* identity, yield* identity, yield* some]
        yield* trained(from, x, 1)
        const state = yield* State.extract(from)
        yield* State.load(to, state, "strict")
        yield* trained(to, yield* owned(() => tf.mul(x, 100)), 3)
        expect(yield* State.extract(to)).toEqual(state)
      })
    )

    scopedTest("without beginning anew, what was collected stays", () =>
      Effect.gen(function* () {
        const [act, x] = [yield* identity, yield* some]
        yield* trained(act, x, 1)
        const before = yield* State.extract(act)
        expect(yield* State.load(act, {}, { policy: "float", reinitialize: false })).toMatchObject({ adopted: [] })
        expect(yield* State.extract(act)).toEqual(before)
        yield* State.load(act, {}, "float")
        expect(yield* State.extract(act)).toEqual({})
      })
    )

    scopedTest("any bits: NaN with payloads, infinities, subnormals and -0", () =>
      Effect.gen(function* () {
        const linear = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 3, weightQuant: null })
        const bits = fc.array(fc.oneof(fc.constantFrom(0x7fc00001, 0xff800001, 0x80000000, 1), fc.nat(0xffffffff)), {
          minLength: 9,
          maxLength: 9
        })
        for (const given of fc.sample(bits, 50)) {
          const stored = (from: number, to: number, shape: ReadonlyArray<number>): Stored.Stored => ({
            dtype: "F32",
            shape,
            data: new Uint8Array(Uint32Array.from(given.slice(from, to)).buffer)
          })
          const state = { weight: stored(0, 6, [2, 3]), bias: stored(6, 9, [3]) }
          yield* State.load(linear, state, "strict")
          expect(yield* State.extract(linear)).toEqual(state)
        }
      })
    )

    scopedTest("through safetensors and JSON, shared quantizers under each of their names", () =>
      Effect.gen(function* () {
        const make = (seed: number) =>
          Effect.gen(function* () {
            const a = yield* Linear.quantLinear({ inFeatures: 6, outFeatures: 6, seed, weightQuant: Learned })
            const b = yield* Linear.quantLinear({
              inFeatures: 6,
              outFeatures: 2,
              seed,
              weightQuant: a.weightQuant ?? null
            })
            const act = yield* Activation.quantIdentity({ act: { collectStatsSteps: 2 } })
            const b2 = yield* Activation.quantReLU({ actQuant: act.actQuant ?? null })
            return Model.sequential({ act, a, b2, b }) as Layer.Layer
          })
        const [from, x] = [yield* make(1), yield* some]
        yield* trained(from, x, 3)
        yield* State.load(
          from,
          { "a.weightQuant.scalingImpl.value": Stored.fromFloats(Float32Array.of(0.3), []) },
          { reinitialize: false }
        )
        const state = yield* State.extract(from)
        expect(Object.keys(state).sort()).toEqual([
          "a.bias",
          "a.weight",
          "a.weightQuant.scalingImpl.value",
          "act.actQuant.scalingImpl.value",
          "b.bias",
          "b.weight",
          "b.weightQuant.scalingImpl.value",
          "b2.actQuant.scalingImpl.value"
        ])
        const y = yield* run(from, x, Layer.evaluation)
        for (const through of [
          Result.getOrThrow(Safetensors.decode(Safetensors.encode(state))).tensors,
          Result.getOrThrow(StateJson.decode(StateJson.encode(state))).tensors,
          yield* Stored.tensors(state)
        ]) {
          const to = yield* make(2)
          const loaded = yield* State.load(to, through, "strict")
          expect(loaded.missing).toEqual([])
          expect(yield* State.extract(to)).toEqual(state)
          expect(yield* run(to, x, Layer.evaluation)).toEqual(y)
        }
        // one of its names is enough
        const { "b.weightQuant.scalingImpl.value": _, ...once } = state
        const to = yield* make(3)
        yield* State.load(to, once, "strict")
        expect(yield* State.extract(to)).toEqual(state)
      })
    )

    scopedTest("other types become float32; bytes that do not fit are refused", () =>
      Effect.gen(function* () {
        const linear = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, weightQuant: null })
        const weight: Stored.Stored = {
          dtype: "F16",
          shape: [2, 1],
          data: new Uint8Array(Uint16Array.of(0x3c00, 0xb800).buffer)
        }
        const bias = yield* owned(() => tf.tensor1d([7], "int32"))
        yield* State.load(linear, { weight, bias }, "strict")
        const after = yield* State.parameters(linear)
        expect([after.weight, after.bias].map((x) => [x?.dtype, ...(x?.dataSync() ?? [])])).toEqual([
          ["float32", 1, -0.5],
          ["float32", 7]
        ])
        const short = { ...weight, data: weight.data.slice(1) }
        const error = yield* Effect.flip(State.load(linear, { weight: short }))
        expect(error.message).toBe('the bytes of state "weight": expected shape [2, 1] of F16, got [1.5]')
        expect((yield* State.parameters(linear)).weight).toBe(after.weight)
      })
    )

    scopedTest("a value that cannot be copied leaves nothing behind", () =>
      Effect.gen(function* () {
        const linear = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1 })
        const before = yield* State.extract(linear)
        const tensors = tf.memory().numTensors
        const gone = tf.tensor2d([[1], [2]])
        gone.dispose()
        const bias = Stored.fromFloats(Float32Array.of(1), [1])
        const exit = yield* Effect.exit(State.load(linear, { bias, weight: gone }))
        expect(exit._tag).toBe("Failure")
        expect(tf.memory().numTensors).toBe(tensors)
        expect(yield* State.extract(linear)).toEqual(before)
      })
    )

    scopedTest("missing keys come with what may be meant", () =>
      Effect.gen(function* () {
        const linear = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1 })
        const { bias, weight } = (yield* State.extract(linear)) as Record<"bias" | "weight", Stored.Stored>
        const error = yield* Effect.flip(State.load(linear, { bias, weigth: weight }, "strict"))
        expect(error).toMatchObject({ _tag: "MissingKeys", keys: ["weight"], nearest: ["weigth"] })
        expect(error.message).toBe(
          'the state lacks "weight" (it has "weigth") (policy "strict"); nothing was loaded. Use policy "float" to let quantizers initialise themselves.'
        )
        expect((yield* Effect.flip(State.load(linear, { bias }, "float"))).message).toContain('use policy "report"')
      })
    )

    scopedTest("the state of running statistics goes on from where it was", () =>
      Effect.gen(function* () {
        const stats = Activation.quantIdentity({ actQuant: Int8ActPerTensorFloat, act: { scalingImplType: "stats" } })
        const [from, to, x] = [yield* stats, yield* stats, yield* some]
        expect(yield* State.extract(from)).toEqual({})
        yield* trained(from, x, 1)
        const state = yield* State.extract(from)
        expect(Object.keys(state)).toEqual(["actQuant.scalingImpl.runtimeStats.runningStats"])
        yield* State.load(to, state, "strict")
        expect(yield* State.extract(to)).toEqual(state)
        const double = yield* owned(() => tf.mul(x, 2))
        yield* trained(from, double, 1)
        yield* trained(to, double, 1)
        expect(yield* State.extract(to)).toEqual(yield* State.extract(from))
      })
    )

    /** Resolves at once at first, and later when `gate` opens. */
    const gated = (gate: Effect.Effect<void>) => {
      const resolutions = { count: 0 }
      return pipe(
        Int8WeightPerTensorFloat,
        Injector.let({
          scalingImplType: "parameter",
          scalingInit: Injector.valueEffect(["module"], (_: Module.Module) =>
            Effect.suspend(() => {
              resolutions.count += 1
              return resolutions.count === 1 ? Effect.succeed(1) : Effect.as(gate, 3)
            })
          )
        })
      ) as never
    }

    scopedTest("a reload and a joining layer wait for a load on its way", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const linear = yield* Linear.quantLinear({
          inFeatures: 2,
          outFeatures: 1,
          weightQuant: gated(Deferred.await(gate))
        })
        const proxy = linear.weightQuant as QuantProxy.QuantProxy
        const scale = Stored.fromFloats(Float32Array.of(0.25), [])
        const loading = yield* Effect.forkChild(State.load(linear, { "weightQuant.scalingImpl.value": scale }), {
          startImmediately: true
        })
        yield* Effect.yieldNow
        const order: Array<string> = []
        const noted = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) =>
          Effect.forkChild(
            Effect.tap(effect, () => Effect.sync(() => order.push(name))),
            { startImmediately: true }
          )
        const reloading = yield* noted("reload", QuantProxy.reload(proxy))
        const joining = yield* noted("join", Linear.quantLinear({ inFeatures: 2, outFeatures: 1, weightQuant: proxy }))
        yield* Effect.yieldNow
        expect([order, proxy.modules.current.length]).toEqual([[], 1])
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(loading)
        yield* Fiber.join(reloading)
        yield* Fiber.join(joining)
        expect([order, proxy.modules.current.length]).toEqual([["reload", "join"], 2])
        // they came after the load, so the quantizer has begun anew
        expect((yield* State.parameters(linear))["weightQuant.scalingImpl.value"]?.dataSync()[0]).toBe(3)
      })
    )

    scopedTest("loads of models that share layers, in opposite order, do not wait for each other for ever", () =>
      Effect.gen(function* () {
        const make = (seed: number) => Linear.quantLinear({ inFeatures: 2, outFeatures: 2, seed })
        const [a, b] = [yield* make(1), yield* make(2)]
        const [one, other] = [Model.sequential({ a, b }), Model.sequential({ b, a })] as unknown as [
          Layer.Layer,
          Layer.Layer
        ]
        const state = yield* State.extract(one)
        yield* Effect.all(
          Array.from({ length: 20 }, (_, i) => State.load(i % 2 === 0 ? one : other, state, "strict")),
          { concurrency: "unbounded" }
        )
        expect(yield* State.extract(other)).toEqual(state)
      })
    )
  })

describe("every quantizer of the catalogue", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer, { local: true }))))

  const known: Readonly<Record<string, unknown>> = {
    bitWidth: 8,
    exponentBitWidth: 3,
    mantissaBitWidth: 2,
    perChannelBroadcastableShape: [1, 4],
    minVal: -1,
    maxVal: 1
  }
  const given = (entry: Injector.Any) => {
    const { format, needs } = Catalogue.facts(entry)
    const values = format.kind === "minifloat" ? { ...known, bitWidth: 6 } : known
    return Object.fromEntries(needs.filter((name) => name in values).map((name) => [name, values[name]]))
  }
  const model = (slot: Catalogue.Slot | undefined, entry: Injector.Any, seed: number) =>
    Effect.gen(function* () {
      const options = given(entry)
      const input = yield* Activation.quantIdentity({ actQuant: Int8ActPerTensorFloat, returnQuantTensor: true })
      const linear = yield* Linear.quantLinear({
        inFeatures: 6,
        outFeatures: 4,
        seed,
        ...(slot === "weight" && { weightQuant: entry, weight: options }),
        ...(slot === "bias" && { biasQuant: entry, bias: options })
      } as never)
      if (slot !== "activation") return Model.sequential({ input, linear }) as Layer.Layer
      const activation = yield* Activation.quantIdentity({ actQuant: entry, act: options } as never)
      return Model.sequential({ input, linear, activation }) as Layer.Layer
    })
  const entries = Object.entries(Catalogue.entries).filter(
    ([name, entry]) => Catalogue.facts(entry).slot !== "truncation" && !/BatchQuant/.test(name)
  )

  it.each(entries)("%s: load . extract = id, and the loaded model answers the same bits", async (_, entry) => {
    const before = tf.memory().numTensors
    const { slot } = Catalogue.facts(entry)
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const x = yield* some
          const [from, to] = [yield* model(slot, entry, 1), yield* model(slot, entry, 2)]
          yield* trained(from, x, 2)
          const state = Result.getOrThrow(Safetensors.decode(Safetensors.encode(yield* State.extract(from)))).tensors
          expect((yield* State.load(to, state, "float")).unexpected).toEqual([])
          const again = yield* State.extract(to)
          expect(again).toEqual(state)
          expect(yield* run(to, x, Layer.evaluation)).toEqual(yield* run(from, x, Layer.evaluation))
        })
      )
    )
    expect(tf.memory().numTensors).toBe(before)
  })
})
