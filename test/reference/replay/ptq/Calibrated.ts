/**
 * Cases of calibration: float outputs meanwhile, the learned scales and zero-points, and the quantized output after it.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Layer from "../../../../src/nn/Layer.ts"
import * as Calibrate from "../../../../src/ptq/Calibrate.ts"
import type { Case, Outcome } from "../../Case.ts"
import * as Answer from "../layers/Answer.ts"
import { type Difference, differences, outcomeOf } from "../quantizers/Compared.ts"
import * as Network from "./Network.ts"

/** The float or quantized value that a layer answers. */
const forward = (model: Layer.Layer, x: tf.Tensor, mode: Layer.Mode): Effect.Effect<Layer.Value, Layer.InputError> =>
  Layer.forward(model, x, mode)

export const replayed = (testCase: Case): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { inputs, outputs } = testCase
    const model = yield* Network.make(testCase)
    const batches = inputs.calib.map(Network.image) as ReadonlyArray<tf.Tensor>
    const found: Array<Difference> = []
    for (const [i, x] of batches.entries()) {
      const y = QuantTensor.dequantized(yield* forward(model, x, Layer.without(Layer.evaluation)))
      found.push(...differences({ value: outputs.outputs_inside[i] }, { value: Network.back(y) }, `out inside ${i}`))
    }
    const calibrated = yield* Calibrate.calibrate(Stream.fromIterable(batches))(model)
    const state = Answer.stateOf(calibrated, Layer.read(calibrated))
    for (const [name, written] of Object.entries<any>(outputs.activation_quantizers)) {
      const place = Answer.nameOf(name)
      found.push(...differences(written.value, state[`${place}.value`], `${place} value`))
    }
    const y = yield* forward(calibrated, Network.image(inputs.x), Layer.evaluation)
    const { value } = Answer.answerOf(y, (rank) => Network.channelsLast(rank)) as { value: tf.Tensor }
    found.push(...differences(outputs.out.value, value, "out value"))
    tf.dispose([...Layer.tensorsIn(y)])
    return outcomeOf(testCase, found)
  })
