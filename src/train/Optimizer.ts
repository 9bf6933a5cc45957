/**
 * Optimisers: pairs of pure functions, `init` for the state and `update` for a step.
 *
 * Room: train (level 5). Imports: tfjs.
 */
import * as tf from "@tensorflow/tfjs-core"

/** What an optimiser remembers: how often it stepped, and tensors beside each parameter. */
export interface State {
  readonly steps: number
  readonly slots: ReadonlyArray<ReadonlyArray<tf.Tensor>>
}

export interface Optimizer {
  readonly init: (parameters: ReadonlyArray<tf.Tensor>) => State
  /** new parameters and state; a parameter whose gradient is null stays the same tensor */
  readonly update: (
    state: State,
    parameters: ReadonlyArray<tf.Tensor>,
    gradients: ReadonlyArray<tf.Tensor | null>
  ) => readonly [parameters: ReadonlyArray<tf.Tensor>, state: State]
}

/** Stochastic gradient descent: `p <- p - rate * g`. */
export const sgd = (rate: number): Optimizer => ({
  init: () => ({ steps: 0, slots: [] }),
  update: (state, parameters, gradients) => [
    parameters.map((p, i) => {
      const g = gradients[i]
      return g === null || g === undefined ? p : tf.sub(p, tf.mul(g, rate))
    }),
    { ...state, steps: state.steps + 1 }
  ]
})

/**
 * Adam: `m <- b1 m + (1 - b1) g`, `v <- b2 v + (1 - b2) g^2`, `p <- p - rate * m^ / (sqrt(v^) + 1e-8)` with the moments
 * corrected for their start at zero. Source: Kingma, Ba 2015, arXiv:1412.6980.
 */
export const adam = (rate: number, beta1 = 0.9, beta2 = 0.999): Optimizer => ({
  init: (parameters) => ({
    steps: 0,
    slots: [parameters.map((p) => tf.zerosLike(p)), parameters.map((p) => tf.zerosLike(p))]
  }),
  update: (state, parameters, gradients) => {
    const steps = state.steps + 1
    const [means = [], squares = []] = state.slots
    const stepped = parameters.map((p, i) => {
      const g = gradients[i]
      const [m, v] = [means[i] as tf.Tensor, squares[i] as tf.Tensor]
      if (g === null || g === undefined) return { p, m, v }
      const mean = tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1))
      const square = tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2))
      const rateNow = (rate * Math.sqrt(1 - beta2 ** steps)) / (1 - beta1 ** steps)
      return { p: tf.sub(p, tf.mul(tf.div(mean, tf.add(tf.sqrt(square), 1e-8)), rateNow)), m: mean, v: square }
    })
    return [stepped.map(({ p }) => p), { steps, slots: [stepped.map(({ m }) => m), stepped.map(({ v }) => v)] }]
  }
})
