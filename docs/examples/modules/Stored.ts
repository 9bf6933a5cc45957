import { Stored } from "breve"

/** A tensor as bytes, apart from any backend: what files hold and loads take. */
export const example = () => {
  const stored = Stored.fromFloats(Float32Array.of(1, -2), [2, 1])
  return { dtype: stored.dtype, shape: stored.shape, bytes: stored.data, numbers: Stored.numbers(stored) }
}

export const shows = { dtype: "F32", shape: [2, 1], bytes: [0, 0, 128, 63, 0, 0, 0, 192], numbers: [1, -2] }
