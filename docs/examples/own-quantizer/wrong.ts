import { Injector, Linear } from "breve"
import { pipe } from "effect"
import { Int4WeightSpread } from "./quantizer.ts"

const text = pipe(Int4WeightSpread, Injector.let({ spread: "2.5" }))
// @ts-expect-error a text where RootMeanSquare expects a number
export const wrongType = Injector.resolve(text, "tensorQuant")

const choice = pipe(Int4WeightSpread, Injector.let({ restrictScalingType: "powersOfTwo" }))
// @ts-expect-error there is no such restriction
export const wrongChoice = Injector.resolve(choice, "tensorQuant")

// @ts-expect-error no part of the quantizer looks at "spraed"
export const misspelt = Injector.let(Int4WeightSpread, { spraed: 2 })

const features = { inFeatures: 4, outFeatures: 2 }
// @ts-expect-error the same, where a layer overrides
export const inLayer = Linear.quantLinear({ ...features, weightQuant: Int4WeightSpread, weight: { spraed: 2 } })
