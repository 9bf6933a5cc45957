/**
 * A file and a model beside the network of integers.
 *
 * Room: exchange (level 5). Imports: effect, `nn` types, `tensor` types, its own room. Laws: test/exchange/Certificate.test.ts.
 */
import { Effect } from "effect"
import type * as Layer from "../nn/Layer.ts"
import type { ShapeMismatch } from "../tensor/LayerErrors.ts"
import type { RuntimeFailed } from "../tensor/RuntimeErrors.ts"
import * as Agreement from "./Agreement.ts"
import * as Run from "./CertificateRun.ts"
import * as IntegerNetwork from "./IntegerNetwork.ts"
import type { Runtime } from "./OnnxRuntime.ts"

/** The grid of the outputs: its steps, its ends, and the SHA-256 of the integers that were computed. */
export interface Outputs {
  readonly shape: ReadonlyArray<number>
  readonly scale: ReadonlyArray<number>
  /** of networks that end in a normalization: what is added to the steps */
  readonly offset?: ReadonlyArray<number>
  readonly zeroPoint: number
  readonly low: number
  readonly high: number
  readonly sha256: string
}

const ruleOf = (distance: number): string =>
  `Certified if every answer of the file in the runtime, and of the model as training computes it, put to the nearest step of the ` +
  `output's grid, is the integer of the integer network, or becomes it when roundings that lie within ${distance} steps of a tie ` +
  `go to their other neighbour.`

export interface Compared<Outputs> {
  readonly rule: string
  readonly outputs: Outputs
  readonly comparisons: ReadonlyArray<Agreement.Comparison>
}

/** Runs all inputs, and counts. */
export const compare = (
  subject: Run.Subject,
  runtime: Runtime,
  network: IntegerNetwork.IntegerNetwork,
  ties: Agreement.Options
): Effect.Effect<Compared<Outputs>, RuntimeFailed | Layer.InputError | ShapeMismatch> =>
  Effect.gen(function* () {
    const [inRuntime, inTraining] = [Agreement.begin(network, ties), Agreement.begin(network, ties)]
    const integers: Array<Int32Array> = []
    yield* Effect.scoped(
      Run.run(subject, runtime, ({ x, from, taken, ...answers }) =>
        Effect.map(IntegerNetwork.run(network, x.data), (answer) => {
          integers.push(answer.data.subarray(0, taken * (answer.data.length / subject.size)))
          inRuntime.add(x, answer, answers.inRuntime.data, from, taken)
          inTraining.add(x, answer, answers.inTraining.data, from, taken)
        })
      )
    )
    const { scale, offset, zeroPoint, low, high, shape } = network.output
    const grid = { scale: [...scale], ...(offset && { offset: [...offset] }), zeroPoint, low, high }
    const sha256 = Run.hashOf(Int32Array.from(integers.flatMap((some) => [...some])))
    return {
      rule: ruleOf(ties.distance),
      outputs: { shape: shape.slice(1), ...grid, sha256 },
      comparisons: [
        { between: ["the file in the runtime", "the integers"], ...inRuntime.done() },
        { between: ["the model in training", "the integers"], ...inTraining.done() }
      ]
    }
  })
