import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as BitWidth from "../../src/core/BitWidth.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Restriction from "../../src/core/Restriction.ts"
import * as Injector from "../../src/inject/Injector.ts"
import { InvalidOptions, MissingInput } from "../../src/tensor/Errors.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"
import * as Tree from "../../src/tensor/Tree.ts"
import { tidied } from "../reference/replay/Numbers.ts"

/** The bits, and the gradient of the only parameter, at the brick's own values or at `learned`. */
const at = (brick: BitWidth.BitWidth, learned?: number, input?: number) =>
  tidied(() => {
    const bits = input === undefined ? undefined : tf.scalar(input)
    const run = (given: ReadonlyArray<tf.Tensor>): tf.Tensor => {
      const parameters = Tree.map(brick.parameters, (leaf: tf.Tensor) => given[0] ?? leaf)
      return brick.apply({ parameters, memory: brick.memory, training: true }, bits)[0]
    }
    const own = learned === undefined ? Tree.tensors(brick.parameters) : [tf.scalar(learned)]
    const { gradients } = Gradient.valueAndGradients(run, own)
    return { bits: run(own).dataSync()[0], slope: gradients[0] === null ? null : gradients[0]?.dataSync()[0] }
  })

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`bit-widths on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("BitWidthConst has no tensors: it answers a new one at each call", () => {
      const before = tf.memory().numTensors
      const brick = BitWidth.BitWidthConst({ bitWidth: 4 })
      expect(tf.memory().numTensors).toBe(before)
      const state = { parameters: brick.parameters, memory: brick.memory, training: false }
      const call = () => tf.tidy(() => brick.apply(state)[0].dataSync()[0])
      expect([call(), call()]).toEqual([4, 4])
      expect(tf.memory().numTensors).toBe(before)
    })
    it("BitWidthStatefulConst is a parameter that no gradient reaches, and that can be loaded", () => {
      const brick = BitWidth.BitWidthStatefulConst({ bitWidth: 4 })
      expect(Tree.leaves(brick.parameters).map(([name]) => name)).toEqual(["bitWidth"])
      expect(at(brick)).toEqual({ bits: 4, slope: null })
      expect(at(brick, 6).bits).toBe(6)
      Brick.dispose(brick)
    })
    it("BitWidthParameter begins at bitWidth and does not fall below the minimum", () => {
      const brick = BitWidth.BitWidthParameter({ bitWidth: 8, minBitWidth: 3 })
      expect(at(brick)).toEqual({ bits: 8, slope: 1 })
      expect(at(brick, 0)).toEqual({ bits: 3, slope: 1 })
      expect(at(brick, -2.4)).toEqual({ bits: 5, slope: -1 })
      expect(at(brick, Number.NaN).bits).toBeNaN()
      expect(Brick.parts(brick).map(([path]) => path)).toEqual([
        "",
        "restrictBitWidthImpl",
        "restrictBitWidthImpl.floatToIntImpl"
      ])
      Brick.dispose(brick)
    })
    it("BitWidthParameter learns in the domain of its restriction", () => {
      const brick = BitWidth.BitWidthParameter({
        bitWidth: 8,
        restrictBitWidthImpl: Restriction.PowerOfTwoRestrictValue({})
      })
      expect((brick.parameters.bitWidthOffset as tf.Tensor).dataSync()[0]).toBe(2)
      expect(at(brick).bits).toBe(8)
      expect(at(brick, 1.2).bits).toBe(4)
      Brick.dispose(brick)
    })
    it("MsbClampBitWidth takes bits away and holds the rest within bounds, with a straight-through clamp", () => {
      const brick = BitWidth.MsbClampBitWidth({
        bitWidthToRemoveImpl: BitWidth.RemoveBitwidthParameter({ bitWidthToRemove: 4 }),
        minOverallBitWidth: 2,
        maxOverallBitWidth: 8
      })
      expect(at(brick, undefined, 10).bits).toBeCloseTo(6, 4)
      expect(at(brick, undefined, 30).bits).toBe(8)
      expect(at(brick, undefined, 30).slope).toBeCloseTo(16, 3)
      expect(() => at(brick)).toThrow(MissingInput)
      Brick.dispose(brick)
    })
    it("bit-widths that cannot be are refused", () => {
      const remove = BitWidth.BitWidthConst({ bitWidth: 1 })
      for (const bitWidth of [0, 33, 2.5, -1, Number.NaN]) {
        expect(() => BitWidth.positive(BitWidth.BitWidthConst({ bitWidth }))).toThrow(InvalidOptions)
        expect(() => BitWidth.BitWidthStatefulConst({ bitWidth })).toThrow(InvalidOptions)
        expect(() => BitWidth.BitWidthParameter({ bitWidth })).toThrow(InvalidOptions)
        expect(() =>
          BitWidth.MsbClampBitWidth({
            bitWidthToRemoveImpl: remove,
            minOverallBitWidth: bitWidth,
            maxOverallBitWidth: 8
          })
        ).toThrow(InvalidOptions)
      }
      expect(() => BitWidth.BitWidthParameter({ bitWidth: 1 })).toThrow(/2 to 32/)
      expect(() => BitWidth.BitWidthParameter({ bitWidth: 4, minBitWidth: 1 })).toThrow(/minBitWidth/)
      expect(() => BitWidth.BitWidthParameter({ bitWidth: 4, minBitWidth: 5 })).toThrow(InvalidOptions)
      expect(() => BitWidth.RemoveBitwidthParameter({ bitWidthToRemove: -1 })).toThrow(InvalidOptions)
      expect(() => BitWidth.RemoveBitwidthParameter({ bitWidthToRemove: 1, nonZeroEpsilon: 0 })).toThrow(InvalidOptions)
      expect(() =>
        BitWidth.MsbClampBitWidth({ bitWidthToRemoveImpl: remove, minOverallBitWidth: 4, maxOverallBitWidth: 3 })
      ).toThrow(InvalidOptions)
      Brick.dispose(remove)
    })
    it("nothing may be taken away, but nothing may not be left", () => {
      const none = BitWidth.BitWidthConst({ bitWidth: 0 })
      const msb = { bitWidthToRemoveImpl: none, minOverallBitWidth: 2, maxOverallBitWidth: 8 }
      const brick = BitWidth.MsbClampBitWidth(msb)
      const state = { parameters: {}, memory: {}, training: false }
      expect(brick.apply(state, tf.scalar(6))[0].dataSync()[0]).toBe(6)
      Brick.dispose(brick)
    })
    it("a resolution answers the refusal as a typed error", () => {
      const injector = Injector.make("tooWide", { bits: BitWidth.BitWidthConst, bitWidth: 33 })
      const error = Effect.runSync(Effect.flip(Effect.scoped(Injector.resolve(injector, "bits"))))
      expect(error).toMatchObject({ _tag: "ConstructionFailed", cause: { _tag: "InvalidOptions", option: "bitWidth" } })
    })
    it("what they make is disposed with them", () => {
      const before = tf.memory().numTensors
      const bricks = [
        BitWidth.BitWidthParameter({ bitWidth: 5 }),
        BitWidth.MsbClampBitWidth({
          bitWidthToRemoveImpl: BitWidth.RemoveBitwidthParameter({ bitWidthToRemove: 2 }),
          minOverallBitWidth: 2,
          maxOverallBitWidth: 8
        })
      ]
      expect(tf.memory().numTensors).toBeGreaterThan(before)
      for (const brick of bricks) {
        at(brick, undefined, 6)
        Brick.dispose(brick)
      }
      expect(tf.memory().numTensors).toBe(before)
    })
  })
