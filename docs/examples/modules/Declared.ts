import { Declared } from "breve"

/** A quantizer as recipes name it, and what is wrong with one. */
export const example = () => [
  Declared.injectorOf({ quantizer: "Int8WeightPerTensorFloat", options: { bitWidth: 4 } })?.table.bitWidth,
  Declared.injectorOf({ quantizer: null }),
  Declared.wrongIn("mine", { quantizer: "Int8WeightPerTensor" }, "quantizers[0]")?.nearest
]

export const shows = [4, null, "Int8WeightPerTensorFloat"]
