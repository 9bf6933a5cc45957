/** Random.ts: determinism to the bit, independence of streams, the statistics of each distribution. */
import { describe, expect, it } from "vitest"
import * as Random from "../../src/tensor/Random.ts"

const seed = Random.make(1)
const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length
const std = (values: ArrayLike<number>): number => {
  const centre = mean(values)
  return Math.sqrt(mean(Array.from(values, (x) => (x - centre) ** 2)))
}
const correlation = (a: Float32Array, b: Float32Array): number => {
  const [ma, mb] = [mean(a), mean(b)]
  return mean(a.map((x, i) => (x - ma) * ((b[i] ?? 0) - mb))) / (std(a) * std(b))
}

describe("Random.make and Random.split", () => {
  it("is a value: the same seed and names give the same state, and drawing changes nothing", () => {
    const before = structuredClone(seed)
    const first = Random.uniform(seed, 100, 0, 1)
    expect(Random.uniform(seed, 100, 0, 1)).toEqual(first)
    expect(seed).toEqual(before)
    expect(Random.make(1)).toEqual(seed)
    expect(Random.split(Random.split(seed, "layer"), 3)).toEqual(Random.split(Random.split(Random.make(1), "layer"), 3))
  })

  it("gives the bits that it gave when this test was written", () => {
    expect(Random.make(42).state).toMatchInlineSnapshot(`
      [
        -1286040820,
        -1390265143,
        -1847448816,
        22561071,
      ]
    `)
    expect(Random.split(Random.make(42), "weights").state).toMatchInlineSnapshot(`
      [
        735594322,
        1961921234,
        431534235,
        1929934085,
      ]
    `)
    expect([...new Uint32Array(Random.normal(Random.make(42), 5, 0, 1).buffer)]).toMatchInlineSnapshot(`
      [
        1072408537,
        3207008941,
        3218751224,
        3198207549,
        1069465003,
      ]
    `)
    expect([...Random.permutation(Random.make(42), 8)]).toMatchInlineSnapshot(`
      [
        4,
        5,
        6,
        3,
        7,
        1,
        2,
        0,
      ]
    `)
  })

  it("tells seeds and labels apart", () => {
    const seeds = [0, 1, 2, -1, 0.5, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1].map(Random.make)
    const labels = ["", "a", "b", "ab", "ba", 0, 1, "1", 2, -1, 1e9].map((label) => Random.split(seed, label))
    const states = [...seeds, ...labels, Random.split(Random.split(seed, "a"), "b")].map(({ state }) => state.join())
    expect(new Set(states).size).toBe(states.length)
    expect(Random.make(-0)).toEqual(Random.make(0))
  })

  it("makes streams that do not resemble their parent, their siblings or the next seed", () => {
    const length = 20_000
    const parent = Random.uniform(seed, length, 0, 1)
    for (const other of [
      Random.make(2),
      Random.split(seed, "a"),
      Random.split(seed, "b"),
      Random.split(seed, 0),
      Random.split(seed, 1)
    ]) {
      expect(Math.abs(correlation(parent, Random.uniform(other, length, 0, 1)))).toBeLessThan(0.03)
    }
    const firsts = Float32Array.from({ length }, (_, i) => Random.uniform(Random.split(seed, i), 1, 0, 1)[0] ?? 0)
    expect(Math.abs(mean(firsts) - 0.5)).toBeLessThan(0.01)
    expect(Math.abs(correlation(firsts.subarray(1), firsts.subarray(0, -1)))).toBeLessThan(0.03)
  })
})

describe("Random.uniform", () => {
  it("stays in [from, to) and fills it evenly", () => {
    const values = Random.uniform(seed, 100_000, -2, 2)
    expect(values.every((x) => x >= -2 && x < 2)).toBe(true)
    expect(Math.abs(mean(values))).toBeLessThan(0.02)
    expect(Math.abs(std(values) - 4 / Math.sqrt(12))).toBeLessThan(0.01)
    const bins = Array.from({ length: 16 }, (_, bin) => values.filter((x) => Math.floor((x + 2) * 4) === bin).length)
    const chiSquare = bins.reduce((sum, count) => sum + (count - 6250) ** 2 / 6250, 0)
    expect(chiSquare).toBeLessThan(37.7) // 15 degrees of freedom, p = 0.001
  })

  it("has a prefix in every longer draw, and nothing in a draw of nothing", () => {
    expect(Random.uniform(seed, 10, 0, 1)).toEqual(Random.uniform(seed, 100, 0, 1).slice(0, 10))
    expect(Random.uniform(seed, 0, 0, 1)).toHaveLength(0)
  })
})

describe("Random.normal", () => {
  it("has the mean, the spread and the shape of a normal distribution", () => {
    const values = Random.normal(seed, 200_000, 3, 2)
    expect(Math.abs(mean(values) - 3)).toBeLessThan(0.02)
    expect(Math.abs(std(values) - 2)).toBeLessThan(0.02)
    const within = (z: number): number => values.filter((x) => Math.abs(x - 3) < 2 * z).length / values.length
    expect(Math.abs(within(1) - 0.6827)).toBeLessThan(0.005)
    expect(Math.abs(within(2) - 0.9545)).toBeLessThan(0.003)
    expect(Math.abs(within(3) - 0.9973)).toBeLessThan(0.001)
    expect(Math.abs(mean(values.map((x) => ((x - 3) / 2) ** 3)))).toBeLessThan(0.03)
    expect(Math.abs(mean(values.map((x) => ((x - 3) / 2) ** 4)) - 3)).toBeLessThan(0.08)
  })

  it("uses a logarithm that agrees with Math.log: the polar method, written with it, gives the same float32 numbers", () => {
    const pairs = Random.uniform(seed, 2000, 0, 1)
    const expected: Array<number> = []
    for (let i = 0; i < pairs.length; i += 2) {
      const [x, y] = [2 * (pairs[i] ?? 0) - 1, 2 * (pairs[i + 1] ?? 0) - 1]
      const s = x * x + y * y
      if (s > 0 && s < 1) expected.push(...[x, y].map((v) => Math.fround(v * Math.sqrt((-2 * Math.log(s)) / s))))
    }
    expect([...Random.normal(seed, expected.length, 0, 1)]).toEqual(expected)
  })

  it("draws odd lengths", () => {
    expect(Random.normal(seed, 7, 0, 1)).toEqual(Random.normal(seed, 8, 0, 1).slice(0, 7))
  })
})

describe("Random.integers and Random.permutation", () => {
  it("draws every whole number in [from, to) equally often", () => {
    const values = Random.integers(seed, 60_000, -3, 3)
    const counts = [-3, -2, -1, 0, 1, 2].map((n) => values.filter((x) => x === n).length)
    expect(counts.reduce((a, b) => a + b)).toBe(60_000)
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400)
  })

  it("permutes: every number once, every place equally likely", () => {
    expect([...Random.permutation(seed, 1000)].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    const places = Array.from({ length: 6000 }, (_, i) => Random.permutation(Random.split(seed, i), 3).join(""))
    const orders = ["012", "021", "102", "120", "201", "210"].map((o) => places.filter((p) => p === o).length)
    for (const count of orders) expect(Math.abs(count - 1000)).toBeLessThan(130)
    expect(Random.permutation(seed, 0)).toHaveLength(0)
    expect([...Random.permutation(seed, 1)]).toEqual([0])
  })
})
