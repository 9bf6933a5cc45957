import { Injector } from "breve"
import { pipe } from "effect"
import { MyBinaryQuantizer } from "./cell07.ts"

/** The same attributes under another name: what makes it a weight quantizer is the option of a layer that it is given to. */
export const MyBinaryWeightQuantizer = pipe(MyBinaryQuantizer, Injector.named("MyBinaryWeightQuantizer"))

export const run = MyBinaryWeightQuantizer.name
