/**
 * How long the runtime takes for one input, of two files side by side: they are run in turn, so that whatever else the machine does
 * meets both.
 *
 * Room: cli (level 6). Imports: effect, `exchange`, `tensor`.
 */
import { Effect } from "effect"
import { type Floats, OnnxRuntime, type Session } from "../exchange/OnnxRuntime.ts"
import type { RuntimeFailed } from "../tensor/RuntimeErrors.ts"

/** Medians in milliseconds. */
export interface Latency {
  readonly float: number
  readonly quantized: number
  readonly runs: number
}

const warmUp = 10

const timed = (session: Session, x: Floats): Effect.Effect<number, RuntimeFailed> =>
  Effect.gen(function* () {
    const start = performance.now()
    yield* session.run(x)
    return performance.now() - start
  })

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/** Runs both files on one input, in the layout of the files. */
export const measure = Effect.fn("Latency.measure")(function* (
  float: Uint8Array,
  quantized: Uint8Array,
  x: Floats,
  runs = 60
): Effect.fn.Return<Latency, RuntimeFailed, OnnxRuntime> {
  const runtime = yield* OnnxRuntime
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const sessions = [yield* runtime.open(float), yield* runtime.open(quantized)] as const
      const times: readonly [Array<number>, Array<number>] = [[], []]
      for (let run = -warmUp; run < runs; run++)
        for (const [i, session] of sessions.entries()) {
          const time = yield* timed(session, x)
          if (run >= 0) times[i as 0 | 1].push(time)
        }
      return { float: median(times[0]), quantized: median(times[1]), runs }
    })
  )
})

/** `1.8 × as fast`, `1.2 × as slow`: the quantized file beside the float one. */
export const text = ({ float, quantized }: Latency): string => {
  const ratio = float / quantized
  return ratio >= 1 ? `${ratio.toFixed(1)} × as fast` : `${(1 / ratio).toFixed(1)} × as slow`
}
