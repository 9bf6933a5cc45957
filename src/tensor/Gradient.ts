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

/** One tensor for each of `Inputs`. */
export type PerInput<Inputs extends Tensors> = { readonly [Index in keyof Inputs]: tf.Tensor }

/** The value of an operation, what its gradient needs later, and the gradient: from `dy` to one tensor for each input. */
export interface Differentiable<Inputs extends Tensors, Saved extends Tensors = readonly []> {
  readonly value: tf.Tensor
  readonly saved?: Saved
  readonly gradient: (dy: tf.Tensor, saved: Saved) => PerInput<Inputs>
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

// ---- constructors -------------------------------------------------------------------------------------------

/** Another tensor with the same elements, which are not copied: `tf.clone` copies them on WASM. */
const same = (x: tf.Tensor): tf.Tensor => tf.reshape(x, x.shape)

/** An operation with its own gradient. All gradients are computed when one is asked for; `gradient` may answer `dy` itself. */
export const customGradient =
  <Inputs extends Tensors, Saved extends Tensors = readonly []>(
    f: (...inputs: Inputs) => Differentiable<Inputs, Saved>
  ): ((...inputs: Inputs) => tf.Tensor) =>
  (...inputs) =>
    tf.customGrad((...withSave) => {
      const { value, saved = [], gradient } = f(...inputs)
      const save = withSave[inputs.length] as tf.GradSaveFunc
      save([...saved])
      return {
        // An output that is an input would be its own ancestor on the tape.
        value: inputs.includes(value as never) ? same(value) : value,
        // tfjs disposes a gradient after adding it to another one, so no two may be the same tensor.
        gradFunc: (dy: tf.Tensor, kept: Array<tf.Tensor>) =>
          tf.tidy(() => gradient(dy, kept as unknown as Saved).map(same))
      }
    })(...inputs)

/**
 * An operation linear in both arguments, as two links: the left one is skipped if nothing asks for the gradient of `left`, as with
 * the data that enters a first layer. (`tf.customGrad` cannot skip one input of several.)
 */
export const bilinear =
  (rule: Bilinear): ((left: tf.Tensor, right: tf.Tensor) => tf.Tensor) =>
  (left, right) => {
    const throughLeft = customGradient((left: tf.Tensor) => ({
      value: rule.value(left, right),
      saved: [right],
      gradient: (dy, [right]: readonly [tf.Tensor]) => [rule.left(dy, right, left.shape)]
    }))
    const throughRight = customGradient((value: tf.Tensor, right: tf.Tensor) => ({
      value,
      saved: [left],
      gradient: (dy, [left]: readonly [tf.Tensor]) => [dy, rule.right(dy, left, right.shape)]
    }))
    return throughRight(throughLeft(left), right)
  }

// ---- operations ---------------------------------------------------------------------------------------------

/** What `f` computes, without a gradient path to anything; its steps are not recorded, so what it makes besides is disposed. */
export const withoutGradient: (f: () => tf.Tensor) => tf.Tensor = (f) =>
  customGradient((): Differentiable<readonly []> => ({ value: tf.clone(f()), gradient: () => [] }))()

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
