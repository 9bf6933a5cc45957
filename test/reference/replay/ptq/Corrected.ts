/**
 * Cases of bias correction: the biases after it, and the quantized output.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Layer from "../../../../src/nn/Layer.ts"
import * as State from "../../../../src/nn/State.ts"
import * as BiasCorrection from "../../../../src/ptq/BiasCorrection.ts"
import * as Calibrate from "../../../../src/ptq/Calibrate.ts"
import type { Case, Outcome } from "../../Case.ts"
import { type Difference, differences, outcomeOf } from "../quantizers/Compared.ts"
import * as Network from "./Network.ts"

export const replayed = (testCase: Case): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { config, inputs, outputs } = testCase
    const model = yield* Network.make(testCase)
    const images = (written: ReadonlyArray<unknown>): ReadonlyArray<tf.Tensor> => written.map(Network.image)
    const calibrated = yield* Calibrate.calibrate(Stream.fromIterable(images(inputs.calib)))(model)
    const batches = Stream.fromIterable(images(inputs.correction))
    const corrected = yield* BiasCorrection.correct(batches, { create: config.skip_if_no_bias !== true })(calibrated)
    const parameters = yield* State.parameters(corrected)
    const names = Object.keys(parameters).filter((name) => /^\d+\.bias$/.test(name))
    const found: Array<Difference> = [
      ...differences(Object.keys(outputs.biases_after).toSorted(), names.toSorted(), "biases"),
      ...Object.entries(outputs.biases_after).flatMap(([name, written]) =>
        differences({ value: written }, { value: parameters[name] }, `out ${name}`)
      )
    ]
    const y = yield* Layer.forward(corrected, Network.image(inputs.x))
    found.push(...differences(outputs.out.value, Network.back(QuantTensor.dequantized(y)), "out value"))
    tf.dispose([...Layer.tensorsIn(y)])
    return outcomeOf(testCase, found)
  })
