/**
 * Shorter gradients: functions from optimisers to optimisers.
 *
 * Room: train (level 5). Imports: tfjs, effect, `core`, `op`, `tensor`. Laws: test/train/Optimizer.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { dual } from "effect/Function"
import { limited, type Named, type Optimizer } from "../core/Optimizer.ts"
import * as Clamp from "../op/Clamp.ts"
import type { InvalidOptions } from "../tensor/LayerErrors.ts"

// ---- gradients ----------------------------------------------------------------------------------------------

type Gradients = Named<tf.Tensor | null>

const mapped = (gradients: Gradients, f: (gradient: tf.Tensor) => tf.Tensor): Gradients =>
  Object.fromEntries(Object.entries(gradients).map(([name, g]) => [name, g === null ? null : f(g)]))

/** The optimiser that gets other gradients. */
const onGradients = (
  self: Optimizer,
  wrong: InvalidOptions | undefined,
  f: (gradients: Gradients) => Gradients
): Optimizer => ({
  ...self,
  check: (names) => self.check(names) ?? wrong,
  update: (state, parameters, gradients) => self.update(state, parameters, f(gradients))
})

/**
 * Shortens the gradients, all by the same factor, where their common norm exceeds `norm`, as PyTorch's `clip_grad_norm_`:
 * `g <- g * min(1, norm / (sqrt(sum of all g^2) + 1e-6))`.
 *
 * @category from optimisers to optimisers
 * @since 0.3.0
 */
export const byNorm: {
  (norm: number): (self: Optimizer) => Optimizer
  (self: Optimizer, norm: number): Optimizer
} = dual(2, (self: Optimizer, norm: number): Optimizer => {
  const wrong = limited("GradientClip.byNorm", { norm: [norm, 0, Number.POSITIVE_INFINITY] })
  return onGradients(self, wrong, (gradients) => {
    const squares = Object.values(gradients).flatMap((g) => (g === null ? [] : [tf.sum(tf.square(g))]))
    if (squares.length === 0) return gradients
    const total = tf.sqrt(squares.reduce((sum, square) => tf.add(sum, square)))
    const factor = tf.minimum(1, tf.div(norm, tf.add(total, 1e-6)))
    return mapped(gradients, (g) => tf.mul(g, factor))
  })
})

/**
 * Clamps every element of the gradients: `g <- max(-limit, min(limit, g))`; NaN stays.
 *
 * @category from optimisers to optimisers
 * @since 0.3.0
 */
export const byValue: {
  (limit: number): (self: Optimizer) => Optimizer
  (self: Optimizer, limit: number): Optimizer
} = dual(2, (self: Optimizer, limit: number): Optimizer => {
  const wrong = limited("GradientClip.byValue", { limit: [limit, 0, Number.POSITIVE_INFINITY] })
  return onGradients(self, wrong, (gradients) => mapped(gradients, (g) => Clamp.within(g, -limit, limit)))
})
