/**
 * Networks of integers: what of a trained model a device without floating point needs, and what it must compute with it.
 *
 * Room: exchange (level 5). Imports: effect, `nn`, `tensor`, `./IntegerExecutor.ts`, `./IntegerFile.ts`, `./IntegerGrid.ts`, `./IntegerInput.ts`,
 * `./IntegerLowering.ts`, `./IntegerMeaning.ts`, `./IntegerProgram.ts`, `./Trace.ts`. Laws: test/exchange/IntegerNetwork.test.ts.
 */
import { Effect } from "effect"
import type * as Layer from "../nn/Layer.ts"
import { AccumulatorOverflow, NotExportable } from "../tensor/ExportErrors.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as Executor from "./IntegerExecutor.ts"
import { target } from "./IntegerGrid.ts"
import * as IntegerInput from "./IntegerInput.ts"
import * as Lowering from "./IntegerLowering.ts"
import { floatOf } from "./IntegerMeaning.ts"
import type { IntegerNetwork, Integers, Meaning } from "./IntegerProgram.ts"
import * as Trace from "./Trace.ts"

export { decode, encode } from "./IntegerFile.ts"
export type { Options } from "./IntegerLowering.ts"
export { floatOf, stepOf } from "./IntegerMeaning.ts"
export type * from "./IntegerProgram.ts"

/**
 * The network of integers of a model as it is now.
 *
 * - formula:  `q_y = clamp(round(s_x s_w / s_y Σ (q_x - z_x) (q_w - z_w) + ...) + z_y)`, layer by layer
 * - shapes:   `inputShape [n, ...d]` in breve's layout; the network takes any batch
 * - gradient: none
 * - errors:   NotExportable for what has no integers; AccumulatorOverflow where sums could leave the accumulators; what is wrong with
 *   the input shape, as `Layer.forward`
 * - source:   Jacob et al. 2018, arXiv:1712.05877
 *
 * @category export
 * @since 0.3.0
 */
export const of = Effect.fn("IntegerNetwork.of")(
  (
    model: Layer.Layer,
    inputShape: ReadonlyArray<number>,
    options: Lowering.Options = {}
  ): Effect.Effect<IntegerNetwork, NotExportable | AccumulatorOverflow | Layer.InputError> =>
    Effect.flatMap(Trace.trace(model, inputShape, { target, indices: options.indices }), (graph) =>
      Effect.suspend(() => {
        try {
          return Effect.succeed(Lowering.networkOf(graph, options))
        } catch (cause) {
          if (cause instanceof NotExportable || cause instanceof AccumulatorOverflow) return Effect.fail(cause)
          return Effect.die(cause)
        }
      })
    )
)

/** The first integers of a network: floats on the grid of its input, as its first quantizer puts them. NaN becomes the zero-point. */
export const quantized = ({ input }: IntegerNetwork, values: Float32Array, shape: ReadonlyArray<number>): Integers =>
  IntegerInput.quantized(input, values, shape)

/** What a network answers. */
export interface Answer extends Integers {
  readonly meaning: Meaning
}

/** All integers of a network on the way from its first ones, by the names of the values. */
export const execute = (self: IntegerNetwork, first: Integers): ReadonlyMap<string, Integers> =>
  Executor.execute(self.steps, self.input.name, first)

/** The floats that integers mean. */
export const valuesOf = ({ data }: Integers, meaning: Meaning): Float32Array =>
  Float32Array.from(data, (q, i) => floatOf(meaning, q, i))

/**
 * What a network answers to floats, which are put on its first grid.
 *
 * - formula:  integers only, from the first grid on; rescaling multiplies by a float64 or shifts, and rounds half to even
 * - shapes:   `values` row by row, `[n, ...d]` of the network's input for any n
 * - gradient: none
 * - errors:   ShapeMismatch where there are no whole inputs
 * - source:   Jacob et al. 2018, arXiv:1712.05877
 *
 * @category export
 * @since 0.3.0
 */
export const run = Effect.fn("IntegerNetwork.run")(
  (self: IntegerNetwork, values: Float32Array): Effect.Effect<Answer, ShapeMismatch> =>
    Effect.suspend(() => {
      const one = self.input.shape.slice(1)
      const size = one.reduce((a, b) => a * b, 1)
      const count = values.length / size
      if (!Number.isInteger(count)) {
        const what = "the input of an integer network"
        return Effect.fail(new ShapeMismatch({ what, expected: `[n, ${one.join(", ")}]`, actual: [values.length] }))
      }
      const { shape: _, name, ...meaning } = self.output
      const answer = execute(self, quantized(self, values, [count, ...one])).get(name) as Integers
      return Effect.succeed({ ...answer, meaning })
    })
)

/**
 * For each element of a batch, how near a tie its rounding came, in steps: computing in floats may differ where that is as small as
 * the rounding of floats.
 */
export const margins = (self: IntegerNetwork, first: Integers): Float64Array =>
  Executor.margins(self.steps, execute(self, first))
