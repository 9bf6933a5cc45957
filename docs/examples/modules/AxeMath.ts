import { AxeMath } from "breve"

/** The accumulator that two outputs need at least, with inputs of 8 bits; and that of the sums of tiles of 128 products in 16 bits. */
export const example = () => ({
  least: AxeMath.leastBits({ inputs: { low: -128, high: 127 }, biases: [40, -1000] }),
  outer: AxeMath.outerBits({ bitWidth: 16, tile: 128 }, 1024)
})

export const shows = { least: 12, outer: 19 }
