import { Ptq } from "breve"
import { Effect } from "effect"
import { network } from "../post-training/model.ts"

/** The layers of a model that steps work on, by name. */
export const example = Effect.map(network, (model) =>
  Ptq.weighted(model).map(({ name, layer }) => `${name}: ${layer.kind}`)
)

export const shows = ["fc1: QuantLinear", "fc2: QuantLinear"]
