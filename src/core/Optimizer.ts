/**
 * Optimisers: pairs of pure functions, `init` for the state and `update` for a step.
 *
 * Parameters go by their names, so that some can be chosen. What an optimiser keeps beside a parameter begins with that
 * parameter's first gradient. Call `update` within `tf.tidy`, or the tensors in between stay. `GradientClip` and `Parameters` make
 * other optimisers of these.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `./LearningRate.ts`. Laws: laws/OptimizerLaws.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as LearningRate from "./LearningRate.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** Something for each parameter, by its name. */
export type Named<A> = Readonly<Record<string, A>>

/** What is kept beside one parameter: how often it was stepped, and tensors. */
export interface Slot {
  readonly steps: number
  readonly tensors: Named<tf.Tensor>
}

/** What an optimiser keeps: how often it stepped, and something beside each parameter that had a gradient. */
export interface State {
  readonly steps: number
  readonly slots: Named<Slot>
}

/** An optimiser: pure functions from parameters and gradients to new parameters, with what it keeps beside them. */
export interface Optimizer {
  /** what its slots mean: states of one kind do not serve another */
  readonly kind: string
  /** the learning rate of a step; the first one is 0 */
  readonly rate: (step: number) => number
  /** what is wrong with its options, for parameters of these names */
  readonly check: (names: ReadonlyArray<string>) => InvalidOptions | undefined
  readonly init: (parameters: Named<tf.Tensor>) => State
  /** new parameters and state; a parameter whose gradient is null stays the same tensor */
  readonly update: (
    state: State,
    parameters: Named<tf.Tensor>,
    gradients: Named<tf.Tensor | null>
  ) => readonly [parameters: Named<tf.Tensor>, state: State]
}

// ---- rules --------------------------------------------------------------------------------------------------

/** A number as a tensor, made once for all parameters of a step. */
type Scalar = (value: number) => tf.Tensor

/** A step of one parameter. */
type Rule = (
  parameter: tf.Tensor,
  gradient: tf.Tensor,
  slot: Slot | undefined,
  rate: number,
  scalar: Scalar
) => readonly [parameter: tf.Tensor, slot: Slot]

const scalars = (): Scalar => {
  const made = new Map<number, tf.Tensor>()
  return (value) => {
    const found = made.get(value) ?? tf.scalar(value)
    made.set(value, found)
    return found
  }
}

/** The optimiser that steps each parameter by a rule. */
const each = (kind: string, rate: LearningRate.Rate, wrong: InvalidOptions | undefined, rule: Rule): Optimizer => {
  const learningRate = LearningRate.of(rate)
  return {
    kind,
    rate: learningRate.at,
    check: () => learningRate.check ?? wrong,
    init: () => ({ steps: 0, slots: {} }),
    update: ({ steps, slots }, parameters, gradients) => {
      const [now, scalar] = [learningRate.at(steps), scalars()]
      const stepped: Record<string, tf.Tensor> = { ...parameters }
      const kept: Record<string, Slot> = { ...slots }
      for (const [name, parameter] of Object.entries(parameters)) {
        const gradient = gradients[name]
        if (gradient === null || gradient === undefined) continue
        const [next, slot] = rule(parameter, gradient, slots[name], now, scalar)
        stepped[name] = next
        kept[name] = slot
      }
      return [stepped, { steps: steps + 1, slots: kept }]
    }
  }
}

/** Another tensor with the same elements, which are not copied: a slot has a life of its own. */
const same = (x: tf.Tensor): tf.Tensor => tf.reshape(x, x.shape)

/** The first option that is not from its low limit to below its high one. */
export const limited = (what: string, limits: Named<readonly [value: number, low: number, below: number]>) => {
  for (const [option, [value, low, below]] of Object.entries(limits))
    if (!(value >= low && value < below))
      return new InvalidOptions({ what, option, reason: `is not from ${low} to below ${below}: ${value}` })
  return undefined
}
const infinity = Number.POSITIVE_INFINITY

// ---- optimisers ---------------------------------------------------------------------------------------------

export interface SgdOptions {
  /** default: 0 */
  readonly momentum?: number
  /** how much of a gradient does not enter the momentum; default: 0 */
  readonly dampening?: number
  /** look ahead along the momentum; default: false */
  readonly nesterov?: boolean
  /** adds `weightDecay * p` to the gradient; default: 0 */
  readonly weightDecay?: number
}

/**
 * Stochastic gradient descent, as PyTorch's `SGD`: `g <- g + weightDecay p`, `b <- momentum b + (1 - dampening) g` (the first time
 * `b = g`), `p <- p - rate b`, or with Nesterov's momentum `p <- p - rate (g + momentum b)`.
 *
 * @category optimisers
 * @since 0.3.0
 */
export const sgd = (rate: LearningRate.Rate, options: SgdOptions = {}): Optimizer => {
  const { momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 } = options
  const what = "Optimizer.sgd"
  const wrong =
    limited(what, {
      momentum: [momentum, 0, infinity],
      dampening: [dampening, 0, infinity],
      weightDecay: [weightDecay, 0, infinity]
    }) ??
    (nesterov && (momentum === 0 || dampening !== 0)
      ? new InvalidOptions({ what, option: "nesterov", reason: "needs a momentum above 0 and no dampening" })
      : undefined)
  return each("sgd", rate, wrong, (p, gradient, slot, now, scalar) => {
    const down = (direction: tf.Tensor): tf.Tensor => tf.sub(p, tf.mul(direction, scalar(now)))
    const g = weightDecay === 0 ? gradient : tf.add(gradient, tf.mul(p, scalar(weightDecay)))
    const steps = (slot?.steps ?? 0) + 1
    if (momentum === 0) return [down(g), { steps, tensors: {} }]
    const before = slot?.tensors.momentum
    const fresh = dampening === 0 ? g : tf.mul(g, scalar(1 - dampening))
    const b = before === undefined ? same(g) : tf.add(tf.mul(before, scalar(momentum)), fresh)
    return [down(nesterov ? tf.add(g, tf.mul(b, scalar(momentum))) : b), { steps, tensors: { momentum: b } }]
  })
}

/**
 * Descent by the signs of the gradients, as Brevitas' `SignSGD`: `b <- momentum b + g` (the first time `b = g`), `p <- p - rate sign(b)`.
 * Source: Cheng et al. 2023, arXiv:2309.05516.
 *
 * @category optimisers
 * @since 0.4.0
 */
export const signSgd = (rate: LearningRate.Rate, { momentum = 0 }: Pick<SgdOptions, "momentum"> = {}): Optimizer => {
  const wrong = limited("Optimizer.signSgd", { momentum: [momentum, 0, infinity] })
  return each("signSgd", rate, wrong, (p, g, slot, now, scalar) => {
    const steps = (slot?.steps ?? 0) + 1
    const before = slot?.tensors.momentum
    const b = before === undefined ? same(g) : tf.add(tf.mul(before, scalar(momentum)), g)
    return [tf.sub(p, tf.mul(tf.sign(b), scalar(now))), { steps, tensors: momentum === 0 ? {} : { momentum: b } }]
  })
}

export interface AdamOptions {
  /** default: 0.9 */
  readonly beta1?: number
  /** default: 0.999 */
  readonly beta2?: number
  /** default: 1e-8 */
  readonly epsilon?: number
  /** default: 0, of `adamW` 0.01 */
  readonly weightDecay?: number
}

/** Adam's step; `decoupled` says where the weight decay goes. */
const moments = (
  kind: string,
  rate: LearningRate.Rate,
  options: Required<AdamOptions>,
  decoupled: boolean
): Optimizer => {
  const { beta1, beta2, epsilon, weightDecay } = options
  const wrong = limited(`Optimizer.${kind}`, {
    beta1: [beta1, 0, 1],
    beta2: [beta2, 0, 1],
    epsilon: [epsilon, 0, infinity],
    weightDecay: [weightDecay, 0, infinity]
  })
  return each(kind, rate, wrong, (p, gradient, slot, now, scalar) => {
    const decays = weightDecay !== 0
    const from = decays && decoupled ? tf.mul(p, scalar(1 - now * weightDecay)) : p
    const g = decays && !decoupled ? tf.add(gradient, tf.mul(p, scalar(weightDecay))) : gradient
    const steps = (slot?.steps ?? 0) + 1
    const blend = (before: tf.Tensor | undefined, x: tf.Tensor, beta: number): tf.Tensor => {
      const fresh = tf.mul(x, scalar(1 - beta))
      return before === undefined ? fresh : tf.add(tf.mul(before, scalar(beta)), fresh)
    }
    const mean = blend(slot?.tensors.mean, g, beta1)
    const square = blend(slot?.tensors.square, tf.square(g), beta2)
    // both corrections in one factor: m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + e)
    const root = Math.sqrt(1 - beta2 ** steps)
    const factor = (now * root) / (1 - beta1 ** steps)
    const direction = tf.div(mean, tf.add(tf.sqrt(square), scalar(epsilon * root)))
    return [tf.sub(from, tf.mul(direction, scalar(factor))), { steps, tensors: { mean, square } }]
  })
}

/**
 * Adam, as PyTorch's `Adam`: `g <- g + weightDecay p`, `m <- beta1 m + (1 - beta1) g`, `v <- beta2 v + (1 - beta2) g^2`,
 * `p <- p - rate m^ / (sqrt(v^) + epsilon)` with `m^ = m / (1 - beta1^t)`, `v^ = v / (1 - beta2^t)`. Source: Kingma, Ba 2015,
 * arXiv:1412.6980.
 *
 * @category optimisers
 * @since 0.3.0
 */
export const adam = (rate: LearningRate.Rate, options: AdamOptions = {}): Optimizer =>
  moments("adam", rate, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, ...options }, false)

/**
 * Adam with the weight decay apart from the gradient, as PyTorch's `AdamW`: `p <- (1 - rate weightDecay) p`, then as `adam`. Source:
 * Loshchilov, Hutter 2019, arXiv:1711.05101.
 *
 * @category optimisers
 * @since 0.3.0
 */
export const adamW = (rate: LearningRate.Rate, options: AdamOptions = {}): Optimizer =>
  moments("adamW", rate, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, ...options }, true)

/** The tensors of a state. */
export const tensorsOf = ({ slots }: State): ReadonlyArray<tf.Tensor> =>
  Object.values(slots).flatMap(({ tensors }) => Object.values(tensors))
