/**
 * Seeded randomness as a value: a `Random` is the 128 bits of state of a generator and is never advanced in place.
 *
 * The same `Random` always gives the same numbers, so every draw takes its own stream: `split(random, "weights")`,
 * `split(random, 3)`. All arithmetic is integer or IEEE-exact (`+ - * / sqrt`; the logarithm is our own), so a seed gives the same
 * bits in every engine.
 *
 * Room: tensor (level 0). Imports: pure-rand only.
 * Sources: generator xoroshiro128+, Blackman and Vigna 2018, arXiv:1805.01407 (as in pure-rand); hash for seeds and labels
 * MurmurHash3, Appleby 2011, public domain; normal numbers by the polar method, Marsaglia and Bray 1964, SIAM Review 6(3).
 */
import { uniformInt } from "pure-rand/distribution/uniformInt"
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus"
import type { RandomGenerator } from "pure-rand/types/RandomGenerator"

// ---- model --------------------------------------------------------------------------------------------------

/** A stream of random numbers, as data: it can be compared, stored and sent. */
export interface Random {
  readonly state: readonly [number, number, number, number]
}

/** What a stream may be called; the number 1 and the string "1" are different names. */
export type Label = string | number

// ---- constructors -------------------------------------------------------------------------------------------

/** The stream of a seed: any finite number; seeds that differ in one bit give unrelated streams. */
export const make = (seed: number): Random => derive([0x62726576, 0x65], seed)

/** The stream called `label` below `random`: always the same one, unrelated to its parent and to its siblings. */
export const split = (random: Random, label: Label): Random => derive(random.state, label)

/** 128 bits of state from some words and a label: four lanes of MurmurHash3 with different seeds. */
const derive = (words: ReadonlyArray<number>, label: Label): Random => {
  const all = [...words, ...labelWords(label)]
  const lane = (seed: number): number => finish(all.reduce(round, seed) ^ all.length)
  return { state: [lane(0x9e3779b9), lane(0x243f6a88), lane(0xb7e15162), lane(0x6a09e667)] }
}

/** A number by the two halves of its float64 (after adding 0, which makes -0 into 0), a string by its UTF-16 units. */
const labelWords = (label: Label): ReadonlyArray<number> => {
  if (typeof label === "string") return [1, ...Array.from({ length: label.length }, (_, i) => label.charCodeAt(i))]
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, label + 0)
  return [2, view.getInt32(0), view.getInt32(4)]
}

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by))

const round = (hash: number, word: number): number =>
  (Math.imul(rotate(hash ^ Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593), 13), 5) + 0xe6546b64) | 0

const finish = (hash: number): number => {
  const a = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  const b = Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  return b ^ (b >>> 16)
}

// ---- draws --------------------------------------------------------------------------------------------------

/** A private, mutable copy for one bulk draw. */
const generator = (random: Random): RandomGenerator => xoroshiro128plusFromState(random.state)

/** The upper 24 bits, a multiple of 2^-24 in [0, 1): the lowest bits of xoroshiro128+ are its weakest. */
const unit = (source: RandomGenerator): number => (source.next() >>> 8) * 2 ** -24

/**
 * `length` numbers, each equally likely anywhere in [from, to): multiples of `(to - from) * 2^-24` above `from`, rounded to
 * float32 (which may round the last of them up to `to` itself, unless `from` is 0 and `to` a power of two).
 */
export const uniform = (random: Random, length: number, from: number, to: number): Float32Array => {
  const source = generator(random)
  const values = new Float32Array(length)
  for (let i = 0; i < length; i++) values[i] = from + (to - from) * unit(source)
  return values
}

/** `length` numbers of the normal distribution with the given mean and standard deviation, no further than 8 std from the mean. */
export const normal = (random: Random, length: number, mean: number, std: number): Float32Array => {
  const source = generator(random)
  const values = new Float32Array(length)
  for (let i = 0; i < length; ) {
    const x = 2 * unit(source) - 1
    const y = 2 * unit(source) - 1
    const square = x * x + y * y
    if (square > 0 && square < 1) {
      const radius = std * Math.sqrt((-2 * logarithm(square)) / square)
      values[i++] = mean + radius * x
      if (i < length) values[i++] = mean + radius * y
    }
  }
  return values
}

/** `length` whole numbers, each equally likely in [from, to), without bias; -2^31 <= from < to <= 2^31. */
export const integers = (random: Random, length: number, from: number, to: number): Int32Array => {
  const source = generator(random)
  return Int32Array.from({ length }, () => uniformInt(source, from, to - 1))
}

/** The numbers 0 .. n-1 in an order drawn from all n! equally (Fisher and Yates; Durstenfeld 1964, CACM 7(7)). */
export const permutation = (random: Random, n: number): Uint32Array => {
  const source = generator(random)
  const order = Uint32Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const j = uniformInt(source, 0, i)
    const taken = order[i] ?? 0
    order[i] = order[j] ?? 0
    order[j] = taken
  }
  return order
}

/**
 * Natural logarithm for x in (0, 1), from `x = m * 2^e` with m in [sqrt(1/2), sqrt(2)) and the series of atanh in
 * `(m - 1) / (m + 1)`, whose first term left out is below 2^-61. `Math.log` may differ in its last bit between engines.
 */
const logarithm = (x: number): number => {
  let m = x
  let e = 0
  while (m < Math.SQRT1_2) {
    m *= 2
    e -= 1
  }
  const f = (m - 1) / (m + 1)
  const f2 = f * f
  let sum = 0
  for (let k = 21; k >= 1; k -= 2) sum = sum * f2 + 1 / k
  return e * Math.LN2 + 2 * f * sum
}
