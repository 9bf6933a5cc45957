import { EqualizeMath } from "breve"

/** By how much each of two channels grows in one layer and shrinks in the next, so that both sides have the same size. */
export const example = () => EqualizeMath.factors([1, 16], [4, 1])

export const shows = [2, 0.25]
