import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Module from "../../src/core/Module.ts"
import * as Restricted from "../../src/core/Restricted.ts"
import * as Restriction from "../../src/core/Restriction.ts"
import * as Scaling from "../../src/core/Scaling.ts"
import * as Injector from "../../src/inject/Injector.ts"

const numbers = (t: tf.Tensor): ReadonlyArray<number> => Array.from(t.dataSync())
const applied = (self: Scaling.Scaling, threshold?: tf.Tensor) => {
  const state = { parameters: self.parameters, memory: self.memory, training: false }
  return self.apply(state, tf.scalar(0), threshold)[0]
}
const log = Restriction.LogFloatRestrictValue({})
const cpu = () => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true })))

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Scaling on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("a signed scale keeps its sign, an unsigned one loses it; the threshold is always positive", () =>
      void tf.tidy(() => {
        const scalingInit = tf.tensor1d([-3, 2])
        const signed = Scaling.ConstScaling({ scalingInit, isScaleUnsigned: false, scalingMinVal: 2.5 })
        expect(numbers(applied(signed, tf.scalar(-2)))).toEqual([-1.5, 1.25])
        expect(numbers(applied(Scaling.ConstScaling({ scalingInit }), tf.scalar(-2)))).toEqual([1.5, 1])
        expect(signed.children.restrictClampScaling?.children.applyAbs?.label).toBe("Identity")
        expect(signed.children.restrictClampThreshold?.children.applyAbs?.label).toBe("Abs")
        expect(signed.children.restrictClampScaleThreshold?.children.applyAbs?.label).toBe("Identity")
      }))

    it("a restriction after the division makes the quotient a power of two", () =>
      void tf.tidy(() => {
        // 2^round(6 / 2), as the quotient is restricted as it is
        const self = Scaling.ConstScaling({
          scalingInit: 6,
          restrictScaleThresholdImpl: Restriction.PowerOfTwoRestrictValue({})
        })
        expect(numbers(applied(self, tf.scalar(2)))).toEqual([8])
      }))

    it("NaN in a parameter or a threshold gives NaN, also with a minimum", () =>
      void tf.tidy(() => {
        const self = Scaling.ParameterScaling({ scalingInit: 1, scalingMinVal: 0.5, scalingShape: [2] })
        const state = { parameters: { value: tf.tensor1d([Number.NaN, 0]) }, memory: {}, training: true }
        expect(numbers(self.apply(state, tf.scalar(0), tf.scalar(2))[0])).toEqual([Number.NaN, 0.25])
        expect(numbers(applied(self, tf.scalar(Number.NaN)))).toEqual([Number.NaN, Number.NaN])
      }))

    it("no tensor is left", () => {
      const before = tf.memory().numTensors
      const all = [
        Scaling.ConstScaling({ scalingInit: 2, restrictScalingImpl: log }),
        Scaling.ParameterScaling({ scalingInit: 2, restrictScalingImpl: log, scalingShape: [3, 1] })
      ]
      tf.tidy(() => all.map((self) => applied(self, tf.scalar(2)).dataSync()))
      expect(tf.memory().numTensors).toBe(before + 2)
      for (const self of all) Brick.dispose(self)
      expect(tf.memory().numTensors).toBe(before)
    })
  })

describe("options of scales", () => {
  beforeAll(cpu)

  it("refuses initial scales that are none", () => {
    const refused = (scalingInit: number, given: object = {}) =>
      expect(() => Scaling.ParameterScaling({ scalingInit, ...given }), String(scalingInit)).toThrow("scalingInit")
    refused(Number.NaN)
    refused(0)
    refused(0, { restrictScalingImpl: log, scalingMinVal: 1e-10 })
    refused(-1, { restrictScalingImpl: log })
    expect(() => Scaling.ConstScaling({ scalingInit: 0 })).toThrow("must not be 0")
    expect(() => Scaling.ConstScaling({ scalingInit: 1, scalingMinVal: Number.NaN })).toThrow("scalingMinVal")
    for (const given of [{ scalingInit: 0, scalingMinVal: 1e-10 }, { scalingInit: -1 }])
      Brick.dispose(Scaling.ParameterScaling(given))
  })

  it("the initial value has the shape, or is a single number for all of it", () =>
    void tf.tidy(() => {
      const shapeOf = (scalingInit: number | tf.Tensor, scalingShape?: ReadonlyArray<number>) =>
        (Scaling.ParameterScaling({ scalingInit, scalingShape }).parameters.value as tf.Tensor).shape
      const three = tf.tensor1d([1, 2, 3])
      expect([shapeOf(1), shapeOf(three), shapeOf(1, [3, 1]), shapeOf(tf.tensor1d([2]), [2])]).toEqual([
        [],
        [3],
        [3, 1],
        [2]
      ])
      expect(() => shapeOf(three, [3, 1])).toThrow("has the shape [3], which is not the scalingShape [3,1]")
    }))

  it("HeScalingInit: the mean over the layers, channels counted along their axis", async () => {
    const module = (shape: [number, number, number, number], outputChannelAxis: number) =>
      ({ weight: tf.zeros(shape), outputChannelAxis }) as unknown as Module.Module
    const modules = [module([3, 3, 2, 4], 3), module([1, 1, 8, 5], 3)] as const
    const injector = Injector.make("test", { scalingInit: Scaling.HeScalingInit, module: modules as Module.Modules })
    const made = await Effect.runPromise(Effect.scoped(Injector.resolve(injector, "scalingInit")))
    expect(made).toBeCloseTo((Math.sqrt(2 / 18) + Math.sqrt(2 / 8)) / 2, 12)
    tf.dispose(Module.list(modules).map(({ weight }) => weight))
  })

  it("checkMomentum: 0..1, or null for the true average", () => {
    for (const fine of [0, 0.1, 1, null, undefined]) expect(() => Restricted.checkMomentum("x", fine)).not.toThrow()
    for (const wrong of [-0.1, 1.1, Number.NaN])
      expect(() => Restricted.checkMomentum("x", wrong)).toThrow("scalingStatsMomentum")
  })
})
