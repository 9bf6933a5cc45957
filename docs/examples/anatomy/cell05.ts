import { Brick, Scaling } from "breve"
import { Effect } from "effect"

/** A learned scale. Whoever calls a constructor by hand disposes what it made. */
export const scaling = Effect.acquireRelease(
  Effect.sync(() => Scaling.ParameterScaling({ scalingInit: 0.1 })),
  (brick) => Effect.sync(() => Brick.dispose(brick))
)

export const run = Effect.map(scaling, ({ label, parameters }) => ({ label, learned: Object.keys(parameters) }))
