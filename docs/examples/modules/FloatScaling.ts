import { FloatScaling } from "breve"

/** What the threshold of a scale is mapped to: the largest value of the format. */
export const example = () => {
  const largest = FloatScaling.FloatScaling({})
  return largest.apply({ exponentBitWidth: 4, mantissaBitWidth: 3, exponentBias: 7 })
}

export const shows = 480
