import { Optimal } from "breve"

/** The best scale and zero-point for two bits: no others have a smaller squared error. */
export const example = () => Optimal.scaleAndZeroPoint(Float32Array.of(0, 0.1, 0.9, 1), { low: 0, high: 3 })

export const shows = { scale: 0.316667, zeroPoint: 0, error: 0.015 }
