import { Catalogue } from "breve"

/** Every ready-made quantizer by name, for programs that read a name from a file. */
export const example = () => ({
  family: Catalogue.familyOf("Int8WeightPerTensorFloat"),
  families: Object.keys(Catalogue.families).length,
  isThere: "Int8WeightPerTensorFloat" in Catalogue.entries
})

export const shows = { family: "ScaledInt", families: 14, isThere: true }
