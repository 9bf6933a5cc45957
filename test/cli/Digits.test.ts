/** Digits.ts: the same bytes for the same seed, balanced labels, images that are neither empty nor full. */
import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import * as Digits from "../../src/cli/Digits.ts"
import * as Dataset from "../../src/exchange/Dataset.ts"

const size = 28 * 28
const digits = Digits.make(7, 500)
const image = (i: number): Uint8Array => digits.images.subarray(i * size, (i + 1) * size)

describe("Digits.make", () => {
  it("has the sizes that it states", () => {
    expect([digits.count, digits.height, digits.width]).toEqual([500, 28, 28])
    expect(digits.images).toHaveLength(500 * size)
    expect(digits.labels).toHaveLength(500)
  })

  it("gives the same bytes for the same seed, and those that it gave when this test was written", () => {
    const hash = ({ images, labels }: Dataset.Dataset): string =>
      createHash("sha256").update(images).update(labels).digest("hex")
    expect(hash(Digits.make(7, 500))).toBe(hash(digits))
    expect(hash(digits)).toMatchInlineSnapshot(`"4978a7150b947b8f69df9e6746783f6f8f78f86d2a94ab8f13ac26f3c41a30aa"`)
  })

  it("gives other images and another order for another seed", () => {
    const other = Digits.make(8, 500)
    expect(other.labels).not.toEqual(digits.labels)
    for (const i of [0, 1, 2]) expect(other.images.slice(i * size, (i + 1) * size)).not.toEqual(image(i).slice())
    expect(new Set(Array.from({ length: 500 }, (_, i) => image(i).join())).size).toBe(500)
  })

  it("balances and shuffles the labels", () => {
    expect(Dataset.histogram(digits, 10)).toEqual(Array.from({ length: 10 }, () => 50))
    expect(Dataset.histogram(Digits.make(1, 25), 10).toSorted()).toEqual([2, 2, 2, 2, 2, 3, 3, 3, 3, 3])
    expect([...digits.labels.subarray(0, 10)]).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(new Set(digits.labels.subarray(0, 60)).size).toBe(10)
  })

  it("draws ink on paper: mostly dark ground, some bright ink, in every image", () => {
    for (let i = 0; i < digits.count; i++) {
      const pixels = [...image(i)]
      expect(pixels.filter((p) => p < 100).length / size).toBeGreaterThan(0.55)
      expect(pixels.filter((p) => p > 120).length).toBeGreaterThan(10)
    }
  })

  it("draws each digit like itself: the mean images of two halves are nearest to each other", () => {
    const half = (from: number, digit: number): ReadonlyArray<number> => {
      const mine = Array.from({ length: 250 }, (_, i) => from + i).filter((i) => digits.labels[i] === digit)
      return Array.from({ length: size }, (_, p) => mine.reduce((sum, i) => sum + (image(i)[p] ?? 0), 0) / mine.length)
    }
    const second = Array.from({ length: 10 }, (_, digit) => half(250, digit))
    const apart = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number =>
      a.reduce((sum, x, p) => sum + (x - (b[p] ?? 0)) ** 2, 0)
    for (let digit = 0; digit < 10; digit++) {
      const mine = half(0, digit)
      const distances = second.map((other) => apart(mine, other))
      expect(distances.indexOf(Math.min(...distances))).toBe(digit)
    }
  })

  it("makes nothing from nothing", () => {
    expect(Digits.make(1, 0).images).toHaveLength(0)
  })
})
