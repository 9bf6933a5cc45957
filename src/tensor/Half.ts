/**
 * Floating-point numbers of 16 bits as numbers: IEEE 754 binary16, and bfloat16. Every one of them is a float32 too.
 *
 * Room: tensor (level 0). Imports: none. Laws: test/tensor/Stored.test.ts. Source: IEEE 754-2019, section 3.4.
 */

/** The value of 16 bits: 1 of sign, 5 of exponent, 10 of fraction. */
export const fromBits = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** The value of the upper half of a float32. */
export const fromBrainBits = (bits: number): number => {
  const view = new DataView(new ArrayBuffer(4))
  view.setUint32(0, (bits << 16) >>> 0)
  return view.getFloat32(0)
}

/** The bits of every magnitude that 15 bits have, infinity included, once they are asked for. */
const magnitudes = new Map<number, number>()
const bitsOfMagnitude = (x: number): number | undefined => {
  if (magnitudes.size === 0) for (let bits = 0; bits <= 0x7c00; bits++) magnitudes.set(fromBits(bits), bits)
  return magnitudes.get(x)
}

/** The 16 bits of a number, if they have it exactly. NaN has more than one pattern, so it is none. */
export const toBits = (x: number): number | undefined => {
  const bits = bitsOfMagnitude(Math.abs(x))
  return bits === undefined ? undefined : bits | (x < 0 || Object.is(x, -0) ? 0x8000 : 0)
}

/** The upper half of the float32 that a number is, if the lower half is 0. NaN has more than one pattern, so it is none. */
export const toBrainBits = (x: number): number | undefined => {
  const view = new DataView(new ArrayBuffer(4))
  view.setFloat32(0, x)
  const exact = view.getFloat32(0) === x && view.getUint16(2) === 0
  return exact ? view.getUint16(0) : undefined
}
