/**
 * A file and a model beside the file as plain arrays compute it: for networks that have no integers.
 *
 * Floats are equal to within a part of the largest answer. What differs by more may be a rounding near a tie; it counts as that only if
 * the file gives the answer when such roundings go the other way.
 *
 * Room: exchange (level 5). Imports: effect, `nn` types, `tensor` types, its own room. Laws: test/exchange/FloatComparison.test.ts.
 */
import { Effect } from "effect"
import type * as Layer from "../nn/Layer.ts"
import type { RuntimeFailed } from "../tensor/RuntimeErrors.ts"
import type * as Agreement from "./Agreement.ts"
import * as Run from "./CertificateRun.ts"
import * as FileTies from "./FileTies.ts"
import type { Compared } from "./IntegerComparison.ts"
import * as OnnxEvaluator from "./OnnxEvaluator.ts"
import type { Floats, Runtime } from "./OnnxRuntime.ts"

/** The answers of the file in plain arrays, and why there are no integers. */
export interface Outputs {
  readonly shape: ReadonlyArray<number>
  readonly tolerance: number
  readonly withoutIntegers: string
  readonly sha256: string
}

export interface Options extends Agreement.Options {
  readonly tolerance: number
}

const ruleOf = ({ distance, tolerance }: Options): string =>
  `Certified if every answer of the file in the runtime, and of the model as training computes it, is that of the file in plain arrays ` +
  `to within ${tolerance} of the largest answer to that input, or becomes it when roundings that lie within ${distance} steps of a tie ` +
  `go to their other neighbour.`

/** The place of the largest number, the first one of equals. */
const largestOf = (numbers: Float32Array): number =>
  numbers.reduce((best, v, i) => (v > (numbers[best] as number) ? i : best), 0)

/** Inputs whose difference nothing explains are not looked at any longer after so many. */
const enough = 3

const begin = (program: OnnxEvaluator.Program, options: Options) => {
  const counts = { outputs: 0, equal: 0, largestDifference: 0, differingInputs: 0, explained: 0, turned: 0 }
  const more = { sameClass: 0, classes: 0 }
  const unexplained: Array<number> = []
  const add = (x: Floats, ours: Floats, theirs: Float32Array, from: number, taken: number): void => {
    const count = x.shape[0] ?? 1
    const [size, inner] = [ours.data.length / count, x.data.length / count]
    for (let row = 0; row < taken; row++) {
      const [mine, other] = [ours.data, theirs].map((all) => all.slice(row * size, (row + 1) * size)) as [
        Float32Array,
        Float32Array
      ]
      const apart = FileTies.distances(mine, other)
      const equal = apart.reduce((sum, d) => sum + (d <= options.tolerance ? 1 : 0), 0)
      counts.outputs += size
      counts.equal += equal
      counts.largestDifference = Math.max(counts.largestDifference, ...apart)
      const channels = ours.shape.at(-1) ?? 1
      for (let at = 0; at < size; at += channels) {
        more.classes += 1
        const [a, b] = [mine, other].map((all) => largestOf(all.subarray(at, at + channels)))
        more.sameClass += a === b ? 1 : 0
      }
      if (equal === size) continue
      counts.differingInputs += 1
      const one = { shape: [1, ...x.shape.slice(1)], data: x.data.slice(row * inner, (row + 1) * inner) }
      const ties = unexplained.length < enough ? FileTies.explain(program, one, other, options) : undefined
      if (ties === undefined) unexplained.push(from + row)
      else {
        counts.explained += 1
        counts.turned = Math.max(counts.turned, ties.length)
      }
    }
  }
  const done = (): Agreement.Agreement => ({ ...counts, ...more, offGrid: 0, unexplained })
  return { add, done }
}

/** Runs all inputs, and counts. `withoutIntegers` says why there are none. */
export const compare = (
  subject: Run.Subject,
  runtime: Runtime,
  withoutIntegers: string,
  options: Options
): Effect.Effect<Compared<Outputs>, RuntimeFailed | Layer.InputError> =>
  Effect.gen(function* () {
    const program = yield* OnnxEvaluator.program(subject.bytes)
    const [inRuntime, inTraining] = [begin(program, options), begin(program, options)]
    const found: Array<Float32Array> = []
    yield* Effect.scoped(
      Run.run(subject, runtime, ({ there, from, taken, ...answers }) =>
        Effect.map(OnnxEvaluator.run(program, there), (answer) => {
          const ours = Run.back(subject, answer)
          found.push(ours.data.subarray(0, taken * (ours.data.length / subject.size)))
          // ties are looked for in the layout of the file
          inRuntime.add(there, answer, Run.there(subject, answers.inRuntime).data, from, taken)
          inTraining.add(there, answer, Run.there(subject, answers.inTraining).data, from, taken)
        })
      )
    )
    const shape = subject.graph.shapes[subject.graph.output]?.slice(1) ?? []
    const sha256 = Run.hashOf(Float32Array.from(found.flatMap((some) => [...some])))
    return {
      rule: ruleOf(options),
      outputs: { shape, tolerance: options.tolerance, withoutIntegers, sha256 },
      comparisons: [
        { between: ["the file in the runtime", "the file in plain arrays"], ...inRuntime.done() },
        { between: ["the model in training", "the file in plain arrays"], ...inTraining.done() }
      ]
    }
  })
