import { Noise } from "breve"

/** A hundredth of the power of the signal is noise: 20 decibels. */
export const example = () => Noise.decibels({ signal: 100, noise: 1 })

export const shows = 20
