import { Channels } from "breve"

/** The size of each input channel of a weight `[in, out]`. */
export const example = () => {
  const weight = Float32Array.of(1, -2, 0.5, 0.25)
  const side = Channels.inputsOf({ op: "linear" }, [2, 2])
  return Channels.sizesOf(side, weight, "maxabs")
}

export const shows = [2, 0.5]
