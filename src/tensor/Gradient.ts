/**
 * The typed door to automatic differentiation: operations with a gradient of their own, and the gradients of a function.
 *
 * TensorFlow.js disposes the intermediate tensors of a differentiated function before it runs the gradients, so a gradient may
 * use only `dy`, what it saved, and tensors that outlive the step (parameters, constants).
 *
 * Room: tensor (level 0). Imports: tfjs-core only. Laws: test/tensor/Gradient.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"

// ---- model --------------------------------------------------------------------------------------------------

type Tensors = ReadonlyArray<tf.Tensor> | readonly []

/** The gradient for one input, or how to compute it: a function is called only where something asks for that input's gradient. */
export type Lazy = tf.Tensor | (() => tf.Tensor)

/** One gradient for each of `Inputs`. */
export type PerInput<Inputs extends Tensors> = { readonly [Index in keyof Inputs]: Lazy }

/** The value of an operation, what its gradient needs later, and the gradient: from `dy` to one tensor for each input. */
export interface Differentiable<Inputs extends Tensors, Saved extends Tensors = readonly []> {
  readonly value: tf.Tensor
  readonly saved?: Saved
  readonly gradient: (dy: tf.Tensor, saved: Saved) => PerInput<Inputs>
}

/**
 * The same of an operation with several values. A `dy` is absent where nothing depends on that value; where it is `owned`, nothing
 * else uses it, so that the gradient may be written over it.
 */
export interface DifferentiableAll<Inputs extends Tensors, Saved extends Tensors = readonly []> {
  readonly values: ReadonlyArray<tf.Tensor>
  readonly saved?: Saved
  readonly gradient: (
    dys: ReadonlyArray<tf.Tensor | undefined>,
    saved: Saved,
    owned: ReadonlyArray<boolean>
  ) => PerInput<Inputs>
}

/** A function of two tensors that is linear in each: the gradient of one needs `dy`, the other and its own shape. */
export interface Bilinear {
  readonly value: (left: tf.Tensor, right: tf.Tensor) => tf.Tensor
  readonly left: (dy: tf.Tensor, right: tf.Tensor, shape: ReadonlyArray<number>) => tf.Tensor
  readonly right: (dy: tf.Tensor, left: tf.Tensor, shape: ReadonlyArray<number>) => tf.Tensor
}

/** A value, and its gradients in the order of the parameters: `null` for one that it does not depend on. */
export interface ValueAndGradients {
  readonly value: tf.Tensor
  readonly gradients: ReadonlyArray<tf.Tensor | null>
}

// ---- the tape -----------------------------------------------------------------------------------------------

/** Another tensor with the same elements, which are not copied: `tf.clone` copies them on WASM. */
export const same = (x: tf.Tensor): tf.Tensor =>
  tf.engine().runKernel("Reshape", { x }, { shape: x.shape }) as tf.Tensor

/** Whether what is computed now is recorded, so that it has gradients. */
export const isRecorded = (): boolean => {
  const { gradientDepth, kernelDepth } = tf.engine().state
  return gradientDepth > 0 && kernelDepth === 0
}

const isOfOpenScope = ({ scopeId, kept }: tf.Tensor): boolean => scopeId === tf.engine().state.activeScope?.id && !kept

/** Whether a gradient belongs to nothing but the walk back along the tape: that leaves what it makes in the scope that is open. */
const isOwned = (dy: tf.Tensor): boolean => isOfOpenScope(dy) && tf.backend().refCount(dy.dataId) === 1

/** tfjs disposes a gradient after adding it to another one, so that each must be a tensor of its own, of the scope that is open. */
const own = (gradient: tf.Tensor, isFirst = true): tf.Tensor =>
  isFirst && isOfOpenScope(gradient) ? gradient : same(gradient)

/** An output that is an input would be its own ancestor on the tape. */
const distinct = (value: tf.Tensor, inputs: Tensors): tf.Tensor =>
  inputs.includes(value as never) ? same(value) : value

/** What a later gradient needs, out of the reach of `tidy`; linked to the original where gradients are differentiated once more. */
const saving = (x: tf.Tensor): tf.Tensor => {
  const { state } = tf.engine()
  const saved = tf.keep(same(x))
  if (state.gradientDepth > 1)
    state.activeTape.push({
      id: state.nextTapeNodeId++,
      kernelName: "",
      inputs: { x },
      outputs: [saved],
      saved: [],
      gradient: ([dy]: ReadonlyArray<tf.Tensor>) => ({ x: () => same(dy as tf.Tensor) })
    })
  return saved
}

/** The gradients as the tape calls for them: computed at once, apart from those that are functions. */
const asked = (gradients: () => ReadonlyArray<Lazy>): ReadonlyArray<() => tf.Tensor> => {
  const all: Array<() => tf.Tensor> = []
  tf.tidy(() =>
    gradients().map((gradient, index, others) => {
      if (typeof gradient === "function") {
        all.push(() => own(gradient()))
        return []
      }
      const tensor = own(gradient, others.indexOf(gradient) === index)
      all.push(() => tensor)
      return tensor
    })
  )
  return all
}

/**
 * Runs an operation and records it as one node of the tape. As `tf.customGrad`, but it may have several values, gradients that
 * nothing asks for need not be computed, and what it saves is not copied.
 */
const recorded = <Inputs extends Tensors, Saved extends Tensors>(
  f: (...inputs: Inputs) => DifferentiableAll<Inputs, Saved>,
  inputs: Inputs
): ReadonlyArray<tf.Tensor> => {
  const { state } = tf.engine()
  const nodes: Array<Pick<DifferentiableAll<Inputs, Saved>, "gradient"> & { readonly saved: Array<tf.Tensor> }> = []
  const run = (): Array<tf.Tensor> => {
    const { values, saved = [], gradient } = f(...inputs)
    nodes.push({ gradient, saved: saved.map(saving) })
    return values.map((value) => distinct(value, inputs))
  }
  state.kernelDepth++
  try {
    const outputs = tf.tidy(run)
    const { gradient, saved } = nodes[0] as (typeof nodes)[number]
    state.activeTape.push({
      id: state.nextTapeNodeId++,
      kernelName: "",
      inputs: Object.fromEntries(inputs.entries()),
      outputs,
      saved,
      gradient: (dys: ReadonlyArray<tf.Tensor | null>) => {
        const given = dys.map((dy) => dy ?? undefined)
        const owned = given.map((dy) => dy !== undefined && isOwned(dy))
        return Object.fromEntries(asked(() => gradient(given, saved as unknown as Saved, owned)).entries())
      }
    })
    return outputs
  } finally {
    state.kernelDepth--
  }
}

// ---- constructors -------------------------------------------------------------------------------------------

/** An operation with several values and its own gradient. */
export const customGradients =
  <Inputs extends Tensors, Saved extends Tensors = readonly []>(
    f: (...inputs: Inputs) => DifferentiableAll<Inputs, Saved>
  ): ((...inputs: Inputs) => ReadonlyArray<tf.Tensor>) =>
  (...inputs) =>
    isRecorded() ? recorded(f, inputs) : tf.tidy(() => f(...inputs).values.map((value) => distinct(value, inputs)))

/**
 * An operation with its own gradient, which may answer `dy` itself, and functions for gradients that are computed only if they are
 * asked for. Such a function may use `dy` and what was saved, not what `gradient` has made.
 */
export const customGradient =
  <Inputs extends Tensors, Saved extends Tensors = readonly []>(
    f: (...inputs: Inputs) => Differentiable<Inputs, Saved>
  ): ((...inputs: Inputs) => tf.Tensor) =>
  (...inputs) => {
    if (!isRecorded()) return tf.tidy(() => distinct(f(...inputs).value, inputs))
    const all = (...inputs: Inputs): DifferentiableAll<Inputs, Saved> => {
      const { value, saved, gradient } = f(...inputs)
      return {
        values: [value],
        ...(saved !== undefined && { saved }),
        gradient: ([dy], saved) => gradient(dy as tf.Tensor, saved)
      }
    }
    return recorded(all, inputs)[0] as tf.Tensor
  }

/** An operation linear in both arguments: the gradient of one is computed only if something asks for it, unlike that of data. */
export const bilinear = (rule: Bilinear): ((left: tf.Tensor, right: tf.Tensor) => tf.Tensor) =>
  customGradient((left: tf.Tensor, right: tf.Tensor) => ({
    value: rule.value(left, right),
    saved: [left, right],
    gradient: (dy, [left, right]: readonly [tf.Tensor, tf.Tensor]) => [
      () => rule.left(dy, right, left.shape),
      () => rule.right(dy, left, right.shape)
    ]
  }))

/** The elements in another shape: not copied, neither now nor for the gradient (`tf.reshape` copies them on WASM while it is recorded). */
export const reshaped = (x: tf.Tensor, shape: ReadonlyArray<number>): tf.Tensor =>
  customGradient((x: tf.Tensor) => ({
    value: tf.reshape(x, [...shape]),
    gradient: (dy) => [tf.reshape(dy, x.shape)]
  }))(x)

// ---- operations ---------------------------------------------------------------------------------------------

/** What `f` computes, without a gradient path to anything; its steps are not recorded, so what it makes besides is disposed. */
export const withoutGradient: (f: () => tf.Tensor) => tf.Tensor = (f) =>
  customGradient((): Differentiable<readonly []> => ({ value: same(f()), gradient: () => [] }))()

/** The same for what is no tensor: numbers that `f` reads out of the tensors that it makes. */
export const unrecorded = <A>(f: () => A): A => {
  const answers: Array<A> = []
  withoutGradient(() => {
    answers.push(f())
    return tf.scalar(0)
  }).dispose()
  return answers[0] as A
}

/** The same value without a gradient path. */
export const stopped = (x: tf.Tensor): tf.Tensor => withoutGradient(() => x)

/**
 * The value of `f` and its gradients (of the sum of its elements, where it has several). The caller owns all of them, unless a
 * `tf.tidy` is around; what `f` makes besides is disposed, except what it `tf.keep`s. What `f` throws is thrown when that is done:
 * thrown through the tape, it would leave behind what the tape has saved.
 */
export const valueAndGradients = (
  f: (parameters: ReadonlyArray<tf.Tensor>) => tf.Tensor,
  parameters: ReadonlyArray<tf.Tensor>
): ValueAndGradients => {
  const thrown: Array<unknown> = []
  const guarded = (): tf.Tensor => {
    try {
      return f(parameters)
    } catch (cause) {
      thrown.push(cause)
      return tf.scalar(0)
    }
  }
  const { value, grads } = tf.engine().gradients(guarded, [...parameters], undefined, true)
  if (thrown.length > 0) {
    value.dispose()
    throw thrown[0]
  }
  return { value, gradients: grads.map((gradient: tf.Tensor | undefined) => gradient ?? null) }
}
