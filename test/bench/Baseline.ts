/**
 * The same int8 steps as a user of TensorFlow.js writes them: its own kernels, a chain of operations for every quantizer with a
 * straight-through gradient, and operands transposed before a product, which is several times faster there than letting the product do it.
 */
import * as tf from "@tensorflow/tfjs-core"
import { composition } from "../../src/op/ConvolutionComposition.ts"
import * as Random from "../../src/tensor/Random.ts"
import { type Figure, spread } from "./Figure.ts"

const drawn = (label: string, shape: Array<number>, fanIn: number): tf.Variable => {
  const bound = 1 / Math.sqrt(fanIn)
  const values = Random.uniform(Random.split(Random.make(0), label), tf.util.sizeFromShape(shape), -bound, bound)
  return tf.variable(tf.tensor(values, shape))
}

/** `clip(round(x / s), low, high) s`; the gradient passes within the range, and reaches the scale. */
const quantized = (x: tf.Tensor, s: tf.Tensor, low: number, high: number): tf.Tensor =>
  tf.customGrad((...given) => {
    const [x, s, save] = given as unknown as [tf.Tensor, tf.Tensor, tf.GradSaveFunc]
    const steps = tf.div(x, s)
    const q = tf.clipByValue(tf.round(steps), low, high)
    save([steps, q])
    return {
      value: tf.mul(q, s),
      gradFunc: (dy: tf.Tensor, [steps, q]: Array<tf.Tensor>) => {
        const [at, to] = [steps as tf.Tensor, q as tf.Tensor]
        const inside = tf.mul(tf.step(tf.sub(high + 0.5, at)), tf.step(tf.sub(at, low - 0.5)))
        return [tf.mul(dy, inside), tf.sum(tf.mul(dy, tf.sub(to, tf.mul(inside, at))))]
      }
    }
  })(x, s)

const weight = (w: tf.Tensor): tf.Tensor => quantized(w, tf.div(tf.max(tf.abs(w)), 127), -127, 127)

const matMul = (a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
  tf.customGrad((...given) => {
    const [a, b, save] = given as unknown as [tf.Tensor2D, tf.Tensor2D, tf.GradSaveFunc]
    save([a, b])
    return {
      value: tf.matMul(a, b),
      gradFunc: (dy: tf.Tensor, [a, b]: Array<tf.Tensor>) => [
        tf.matMul(dy as tf.Tensor2D, tf.transpose(b as tf.Tensor2D)),
        tf.matMul(tf.transpose(a as tf.Tensor2D), dy as tf.Tensor2D)
      ]
    }
  })(a, b)

const crossEntropy = (logits: tf.Tensor, classes: tf.Tensor): tf.Tensor => {
  const shifted = tf.sub(logits, tf.max(logits, 1, true))
  return tf.mean(tf.sub(tf.log(tf.sum(tf.exp(shifted), 1)), tf.sum(tf.mul(shifted, classes), 1)))
}

/** One step of gradient descent over variables. */
const step = (name: string, variables: ReadonlyArray<tf.Variable>, loss: () => tf.Tensor): Figure => ({
  name,
  inner: 1,
  call: () => {
    tf.tidy(() => {
      const { value, grads } = tf.variableGrads(loss as () => tf.Scalar, [...variables])
      for (const variable of variables)
        variable.assign(tf.sub(variable, tf.mul(grads[variable.name] as tf.Tensor, 0.01)))
      value.dataSync()
    })
  }
})

const classesOf = (count: number): tf.Tensor =>
  tf.cast(
    tf.oneHot(
      tf.tensor1d(
        Array.from({ length: count }, (_, i) => i % 10),
        "int32"
      ),
      10
    ),
    "float32"
  )

/** Scales of activations, which are learned. */
const scales = (count: number): ReadonlyArray<tf.Variable> =>
  Array.from({ length: count }, () => tf.variable(tf.scalar(1 / 64)))

const mlp = (): Figure => {
  const x = spread([64, 784])
  const classes = classesOf(64)
  const sizes = [784, 256, 256, 10]
  const weights = [0, 1, 2].map((i) => drawn(`w${i}`, [sizes[i] as number, sizes[i + 1] as number], sizes[i] as number))
  const biases = [0, 1, 2].map((i) => drawn(`b${i}`, [sizes[i + 1] as number], sizes[i] as number))
  const learned = scales(3)
  return step("baseline.tfjs.step.mlp", [...weights, ...biases, ...learned], () => {
    const [input, ...hidden] = learned as [tf.Variable, ...Array<tf.Variable>]
    const y = weights.reduce<tf.Tensor>(
      (y, w, i) => {
        const sum = tf.add(matMul(y, weight(w)), biases[i] as tf.Tensor)
        return i === 2 ? sum : quantized(tf.relu(sum), hidden[i] as tf.Tensor, 0, 255)
      },
      quantized(x, input, -128, 127)
    )
    return crossEntropy(y, classes)
  })
}

const cnn = (): Figure => {
  const x = spread([32, 28, 28, 1])
  const classes = classesOf(32)
  const filters = [drawn("f0", [3, 3, 1, 16], 9), drawn("f1", [3, 3, 16, 32], 144)]
  const weights = [drawn("w0", [1568, 64], 1568), drawn("w1", [64, 10], 64)]
  const biases = [16, 32, 64, 10].map((size, i) => drawn(`b${i}`, [size], 64))
  const learned = scales(4)
  const lie = { strides: [1, 1], pad: "same", dilations: [1, 1], groups: 1 } as const
  return step("baseline.tfjs.step.cnn", [...filters, ...weights, ...biases, ...learned], () => {
    const scale = (i: number): tf.Tensor => learned[i] as tf.Tensor
    const bias = (i: number): tf.Tensor => biases[i] as tf.Tensor
    const activated = (sum: tf.Tensor, i: number): tf.Tensor =>
      quantized(tf.relu(tf.add(sum, bias(i))), scale(i + 1), 0, 255)
    const image = filters.reduce<tf.Tensor>(
      (y, f, i) => tf.maxPool(activated(composition(y, weight(f), lie), i) as tf.Tensor4D, 2, 2, "valid"),
      quantized(x, scale(0), -128, 127)
    )
    const hidden = activated(matMul(tf.reshape(image, [32, -1]), weight(weights[0] as tf.Tensor)), 2)
    return crossEntropy(tf.add(matMul(hidden, weight(weights[1] as tf.Tensor)), bias(3)), classes)
  })
}

/** The steps, with breve's kernels away while they are measured: what the baseline uses of breve falls back to tfjs, too. */
export const figures = (): ReadonlyArray<Figure> =>
  [mlp(), cnn()].map((figure) => ({
    ...figure,
    around: (measure: () => number): number => {
      const ours = tf.getKernelsForBackend("wasm").filter(({ kernelName }) => kernelName.startsWith("Breve"))
      for (const { kernelName } of ours) tf.unregisterKernel(kernelName, "wasm")
      try {
        return measure()
      } finally {
        for (const kernel of ours) tf.registerKernel(kernel)
      }
    }
  }))
