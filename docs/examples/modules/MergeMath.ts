import { MergeMath } from "breve"

/** A batch normalization in evaluation as a scale and a shift of each channel. */
export const example = () => MergeMath.affineOf({ weight: [1, 2], bias: [0, 1], mean: [0.5, 0], variance: [4, 1] }, 0)

export const shows = { scale: [0.5, 2], shift: [-0.25, 1] }
