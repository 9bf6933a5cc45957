import { Origin } from "breve"

/** The axes of a weight in a PyTorch state dict, if its layer says nothing of it: those of `[in, out]` are `[out, in]` there. */
export const example = () => ({ linear: Origin.axesOf("fc1.weight", 2), conv: Origin.axesOf("conv1.weight", 4) })

export const shows = { linear: [1, 0], conv: [2, 3, 1, 0] }
