import { ActivationSizes, Ptq } from "breve"
import { Effect } from "effect"
import { batches, network } from "../float.ts"

/** How large each channel is that a layer of the float network reads, over batches. */
export const example = Effect.gen(function* () {
  const model = yield* network
  const { name, layer } = yield* Ptq.find(model, "fc2", "example")
  const { sizes } = yield* ActivationSizes.of(model, batches, [{ name, own: layer.own }], { step: "example" })
  const seen = sizes.get(layer.own)
  return seen && ActivationSizes.sizesOf(seen, "maxabs")
})

export const shows = [4.89372, 12.1316, 6.79566, 7.85525, 0.199572, 0.210979, 0.115069, 0.222152]
