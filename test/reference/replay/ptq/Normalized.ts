/**
 * Cases of norm correction: the running statistics after it, and what the normalization then makes of the quantized convolution.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Layer from "../../../../src/nn/Layer.ts"
import * as Model from "../../../../src/nn/Model.ts"
import * as NormCorrection from "../../../../src/ptq/NormCorrection.ts"
import type { Case, Outcome } from "../../Case.ts"
import * as Answer from "../layers/Answer.ts"
import { type Difference, differences, outcomeOf } from "../quantizers/Compared.ts"
import * as Network from "./Network.ts"

export const replayed = (testCase: Case): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { inputs, outputs } = testCase
    const images = inputs.x.map(Network.image) as ReadonlyArray<tf.Tensor>
    const model = yield* NormCorrection.correct(Stream.fromIterable(images))(yield* Network.make(testCase))
    const state = Answer.stateOf(model, Layer.read(model))
    const { "0": conv, "1": norm } = model.layers as Record<string, Layer.Layer>
    const both = Model.sequential({ conv: conv as Layer.Layer, norm: norm as Layer.Layer })
    const y = yield* Layer.forward(both, images[0] as tf.Tensor)
    const found: ReadonlyArray<Difference> = [
      ...differences({ value: outputs.running_mean }, { value: state["1.runningMean"] }, "out mean"),
      ...differences({ value: outputs.running_var }, { value: state["1.runningVar"] }, "out variance"),
      ...differences({ value: outputs.bn_out }, { value: Network.back(QuantTensor.dequantized(y)) }, "out value")
    ]
    tf.dispose([...Layer.tensorsIn(y)])
    return outcomeOf(testCase, found)
  })
