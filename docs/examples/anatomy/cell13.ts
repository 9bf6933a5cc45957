import type * as tf from "@tensorflow/tfjs-core"
import { QuantTensor } from "breve"
import { Effect } from "effect"
import { run as quantized } from "./cell12.ts"
import { disposed } from "./weights.ts"

export const run = (weight: tf.Tensor) => Effect.map(quantized(weight), disposed(QuantTensor.isValid)) // true
