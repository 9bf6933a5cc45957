import { RotationMath } from "breve"

/** A matrix of plus and minus one with orthogonal rows. */
export const example = () => RotationMath.hadamard(4)?.data

export const shows = [1, 1, 1, 1, 1, -1, 1, -1, 1, 1, -1, -1, 1, -1, -1, 1]
