import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result } from "effect"
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Half from "../../src/tensor/Half.ts"
import * as Stored from "../../src/tensor/Stored.ts"
import * as StoredView from "../../src/tensor/StoredView.ts"
import * as Tensors from "../exchange/Tensors.ts"

const bitsOfFloat = (x: number): number => new Uint32Array(Float32Array.of(x).buffer)[0] as number

describe("Half", () => {
  it("names each of the 65,536 patterns, and finds it again unless it is NaN", () => {
    for (let bits = 0; bits < 65536; bits++) {
      const x = Half.fromBits(bits)
      if (Number.isNaN(x)) expect(bits & 0x7fff).toBeGreaterThan(0x7c00)
      else expect(Half.toBits(x)).toBe(bits)
      const brain = Half.fromBrainBits(bits)
      if (Number.isNaN(brain)) expect(bits & 0x7fff).toBeGreaterThan(0x7f80)
      else {
        expect(Half.toBrainBits(brain)).toBe(bits)
        expect(bitsOfFloat(brain)).toBe((bits << 16) >>> 0)
      }
    }
  })

  it("has the values of the standard at its corners", () => {
    expect([0x0001, 0x03ff, 0x0400, 0x3c00, 0x3555, 0x7bff, 0x7c00, 0xfc00].map(Half.fromBits)).toEqual([
      2 ** -24,
      (1023 / 1024) * 2 ** -14,
      2 ** -14,
      1,
      0.333251953125,
      65504,
      Infinity,
      -Infinity
    ])
    expect([0.1, 65520, 2 ** -25, Number.NaN].map(Half.toBits)).toEqual([undefined, undefined, undefined, undefined])
    expect([0.1, 1 + 2 ** -8, Number.NaN].map(Half.toBrainBits)).toEqual([undefined, undefined, undefined])
  })
})

const permuted = Tensors.stored.chain((stored) =>
  fc
    .shuffledSubarray(
      stored.shape.map((_, i) => i),
      { minLength: stored.shape.length }
    )
    .map((axes) => ({ stored, axes }))
)

describe("StoredView", () => {
  it("transpose by a permutation and by its inverse = id, to the bit", () => {
    fc.assert(
      fc.property(permuted, ({ stored, axes }) => {
        const there = StoredView.transpose(stored, axes)
        expect(Stored.isWhole(there)).toBe(true)
        expect(there.shape).toEqual(axes.map((axis) => stored.shape[axis]))
        expect(StoredView.transpose(there, StoredView.inverse(axes))).toEqual(stored)
      })
    )
  })

  it("parts of the first axis, and sums of float32", () => {
    const all = Stored.fromFloats(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), [4, 2])
    expect([...Stored.floats(StoredView.part(all, 1, 2))]).toEqual([5, 6, 7, 8])
    expect(StoredView.part(all, 3, 4).shape).toEqual([1, 2])
    const [a, b] = [Stored.fromFloats(Float32Array.of(0.1, 1), [2]), Stored.fromFloats(Float32Array.of(0.2, 2), [2])]
    expect([...Stored.floats(StoredView.sum([a, b]))]).toEqual([Math.fround(Math.fround(0.1) + Math.fround(0.2)), 3])
    expect(StoredView.sum([Tensors.specials])).toBe(Tensors.specials)
  })
})

describe("Stored.isWhole", () => {
  it.each([
    [{ dtype: "F32", shape: [2], data: new Uint8Array(8) }, true],
    [{ dtype: "F32", shape: [], data: new Uint8Array(4) }, true],
    [{ dtype: "F32", shape: [2], data: new Uint8Array(7) }, false],
    [{ dtype: "U8", shape: [-1, -2], data: new Uint8Array(2) }, false],
    [{ dtype: "U8", shape: [0.5, 2], data: new Uint8Array(1) }, false]
  ] as const)("%o: %s", (stored, whole) => {
    expect(Stored.isWhole(stored)).toBe(whole)
  })
})

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Stored on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("toTensor . fromTensor = id, payloads of NaN included", () => {
      fc.assert(
        fc.property(Tensors.stored, (stored) => {
          if (stored.dtype !== "F32" && stored.dtype !== "I32") return
          const tensor = Result.getOrThrow(Stored.toTensor(stored))
          try {
            expect(tensor.shape).toEqual(stored.shape)
            expect(Stored.fromTensor(tensor)).toEqual(stored)
          } finally {
            tensor.dispose()
          }
        }),
        { numRuns: 500 }
      )
    })

    it("StoredView.transpose moves elements as TensorFlow.js does", () => {
      fc.assert(
        fc.property(permuted, ({ stored: { shape }, axes }) => {
          const size = Stored.sizeOf(shape)
          const counted = Stored.fromFloats(
            Float32Array.from({ length: size }, (_, i) => i),
            shape
          )
          const turned = tf.tidy(() => tf.transpose(tf.tensor(Stored.floats(counted), [...shape]), [...axes]).clone())
          expect(StoredView.transpose(counted, axes)).toEqual(Stored.fromTensor(turned))
          turned.dispose()
        }),
        { numRuns: 50 }
      )
    })

    it("fromTensor copies: the tensor may go, and be none of its backend's memory", () => {
      const tensor = tf.tensor1d([1, 2])
      const stored = Stored.fromTensor(tensor)
      stored.data.fill(0)
      expect([...tensor.dataSync()]).toEqual([1, 2])
      tensor.dispose()
      expect(() => Stored.fromTensor(tf.tensor(["a"]))).toThrow("a tensor of string has no bytes")
    })
  })
