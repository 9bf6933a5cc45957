import type * as tf from "@tensorflow/tfjs-core"
import { Layer, type State, Weighted } from "breve"
import { Effect } from "effect"
import { loadedConv } from "./cell22.ts"

export const run = (weight: tf.Tensor, floatState: State.StateDict) =>
  Effect.flatMap(loadedConv(weight, floatState), ({ conv }) => Weighted.quantWeight(conv, Layer.training))
