import * as tf from "@tensorflow/tfjs-core"
import { Brick, Injector, type Module } from "breve"
import { pipe } from "effect"
import { MySignedBinaryWeightQuantizer } from "./cell12.ts"

export const ParamFromMaxWeightQuantizer = pipe(
  MySignedBinaryWeightQuantizer,
  Injector.let({ scalingInit: Brick.tensor(["module"], (module: Module.Module) => tf.max(tf.abs(module.weight))) }),
  Injector.named("ParamFromMaxWeightQuantizer")
)

export const run = Injector.tree(ParamFromMaxWeightQuantizer)
