import { SplitMath } from "breve"

/** The largest of three channels of a weight `[in, out]`, and the weight with that one in two halves. */
export const example = () => {
  const channels = SplitMath.largest([1, 8, 2], 0.3)
  const weight = { shape: [1, 3], data: Float32Array.of(1, 8, 2) }
  return { channels, ...SplitMath.split(weight, 1, channels, 0.5) }
}

export const shows = { channels: [1], shape: [1, 4], data: [1, 4, 2, 4] }
