/**
 * Arithmetic of single numbers on the way to float32: powers of two, logarithms, rounding to the nearest.
 *
 * Doubles, with additions, multiplications and divisions only, so that every JavaScript engine gives the same bits (their
 * `Math.pow` and `Math.log2` differ in the last one); exact wherever the result is a double.
 *
 * Room: tensor (level 0). Imports: none. Laws: test/tensor/Float32.test.ts.
 */

/** No float32 lies beyond these powers: 2^-150 is half of the smallest one. */
const lowest = -152
const highest = 129
const powers = ((): Float64Array => {
  const all = new Float64Array(highest - lowest + 1)
  all[-lowest] = 1
  for (let n = 1; n <= highest; n++) all[n - lowest] = 2 * (all[n - 1 - lowest] as number)
  for (let n = -1; n >= lowest; n--) all[n - lowest] = (all[n + 1 - lowest] as number) / 2
  return all
})()

/** `1 / k!`, of the series of e^t. */
const inverseFactorials = ((): ReadonlyArray<number> => {
  const all = [1]
  for (let k = 1; k <= 15; k++) all.push((all[k - 1] as number) / k)
  return all
})()

/** `2^x` for a result within float32: exact for whole x, to 1e-15 otherwise. */
export const exp2 = (x: number): number => {
  if (!(x > lowest && x < highest)) return x >= highest ? Number.POSITIVE_INFINITY : x <= lowest ? 0 : Number.NaN
  const whole = Math.round(x)
  const t = (x - whole) * Math.LN2
  let sum = inverseFactorials[15] as number
  for (let k = 14; k >= 0; k--) sum = sum * t + (inverseFactorials[k] as number)
  return sum * (powers[whole - lowest] as number)
}

const bits = new DataView(new ArrayBuffer(8))

/** `log2(x)` for a float32 x: exact for powers of two, to 1e-15 otherwise. */
export const log2 = (x: number): number => {
  if (!(x > 0 && x < Number.POSITIVE_INFINITY)) return x === 0 ? Number.NEGATIVE_INFINITY : x > 0 ? x : Number.NaN
  bits.setFloat64(0, x)
  const high = bits.getUint32(0)
  bits.setUint32(0, (high & 0xfffff) | 0x3ff00000)
  const mantissa = bits.getFloat64(0)
  const upper = mantissa > Math.SQRT2
  const m = upper ? mantissa / 2 : mantissa
  // log2(m) = 2 / ln 2 * artanh((m - 1) / (m + 1))
  const s = (m - 1) / (m + 1)
  const square = s * s
  let sum = 1 / 25
  for (let k = 23; k >= 1; k -= 2) sum = sum * square + 1 / k
  return (high >>> 20) - (upper ? 1022 : 1023) + s * sum * (2 / Math.LN2)
}

/** From this mantissa on float32 may round a logarithm up to a whole number: that happens up to 44 steps below a power of two. */
const nearlyTwo = 2 ** 23 - 64

/**
 * `floor(log2(x))` of a positive, normal float32 x with this bit pattern, where the logarithm is rounded to float32 first: the
 * exponent, or one more just below some powers of two. At most 127: the power is a float32 too.
 */
export const floorLog2 = (x: number, pattern: number): number =>
  (pattern & 0x7fffff) < nearlyTwo ? (pattern >>> 23) - 127 : Math.min(Math.floor(Math.fround(log2(x))), 127)

/** The nearest whole number, a tie going to the even one, zero with the sign of x. */
export const nearest = (x: number): number => {
  const below = Math.floor(x)
  const over = x - below
  return over < 0.5 || (over === 0.5 && below % 2 === 0) ? below : Math.ceil(x)
}
