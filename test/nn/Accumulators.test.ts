/** Layers with a weight on integers: what they answer as quant tensors are the sums that an integer device accumulates. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe, type Scope } from "effect"
import { expect } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import type * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as State from "../../src/nn/State.ts"
import * as TransposedConvolution from "../../src/nn/TransposedConvolution.ts"
import * as Weighted from "../../src/nn/Weighted.ts"
import {
  Int8ActPerTensorFloat,
  Int8WeightPerChannelFloat,
  Int8WeightPerTensorFloat,
  Int32Bias
} from "../../src/quant/ScaledInt.ts"
import { product, type Sums, terms, wholes } from "../op/NaiveConvolution.ts"
import { answer, numbers, onBackends, owned, quantized, refusal, scoped, trained } from "./Scoped.ts"

type Sizes = ReadonlyArray<number>

interface Subject {
  readonly title: string
  readonly make: (quant: {
    readonly weightQuant: typeof Int8WeightPerTensorFloat
    readonly biasQuant: typeof Int32Bias | null
    readonly inputQuant: typeof Int8ActPerTensorFloat
    readonly returnQuantTensor: boolean
    readonly hasBias: boolean
  }) => Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope>
  readonly sums: Sums
  /** whether what comes in is what the convolution of the sums answers */
  readonly transposed: boolean
}

const convolution = (
  title: string,
  make: Subject["make"],
  lie: Partial<Sums> & Pick<Sums, "image" | "output" | "kernel">,
  transposed = false
): Subject => ({
  title,
  make,
  transposed,
  sums: {
    batch: 2,
    strides: lie.kernel.map(() => 1),
    dilations: lie.kernel.map(() => 1),
    before: lie.kernel.map(() => 0),
    groups: 1,
    channels: { image: 3, output: 4 },
    ...lie
  }
})

const channels = { inChannels: 3, outChannels: 4 }
const subjects: ReadonlyArray<Subject> = [
  convolution("linear", (quant) => Linear.quantLinear({ inFeatures: 3, outFeatures: 4, ...quant }), {
    image: [],
    output: [],
    kernel: []
  }),
  convolution("linear of sequences", (quant) => Linear.quantLinear({ inFeatures: 3, outFeatures: 4, ...quant }), {
    image: [5],
    output: [5],
    kernel: [1]
  }),
  convolution(
    "conv1d at a stride, with dilation and padding",
    (quant) =>
      Convolution.quantConv1d({
        ...channels,
        kernelSize: [3],
        strides: [2],
        dilations: [2],
        padding: [1, 2],
        ...quant
      }),
    { image: [7], output: [3], kernel: [3], strides: [2], dilations: [2], before: [1] }
  ),
  convolution(
    "conv2d that keeps the size",
    (quant) => Convolution.quantConv2d({ ...channels, kernelSize: [3, 2], padding: "same", ...quant }),
    { image: [4, 3], output: [4, 3], kernel: [3, 2], before: [1, 0] }
  ),
  convolution(
    "conv2d in groups",
    (quant) => Convolution.quantConv2d({ inChannels: 6, outChannels: 4, groups: 2, kernelSize: [2, 2], ...quant }),
    { image: [4, 3], output: [3, 2], kernel: [2, 2], groups: 2, channels: { image: 3, output: 2 } }
  ),
  convolution(
    "depthwise conv2d",
    (quant) => Convolution.quantConv2d({ inChannels: 3, outChannels: 6, groups: 3, kernelSize: [2, 2], ...quant }),
    { image: [4, 3], output: [3, 2], kernel: [2, 2], groups: 3, channels: { image: 1, output: 2 } }
  ),
  convolution(
    "conv3d",
    (quant) =>
      Convolution.quantConv3d({ ...channels, kernelSize: [2, 2, 1], strides: [1, 2, 1], padding: 1, ...quant }),
    { image: [3, 4, 2], output: [4, 3, 4], kernel: [2, 2, 1], strides: [1, 2, 1], before: [1, 1, 1] }
  ),
  convolution(
    "transposed conv1d",
    (quant) =>
      TransposedConvolution.quantConvTranspose1d({
        ...channels,
        kernelSize: [3],
        strides: [2],
        outputPadding: [1],
        ...quant
      }),
    { output: [4], image: [10], kernel: [3], strides: [2], channels: { image: 4, output: 3 } },
    true
  ),
  convolution(
    "transposed conv2d in groups",
    (quant) =>
      TransposedConvolution.quantConvTranspose2d({
        inChannels: 6,
        outChannels: 4,
        groups: 2,
        kernelSize: [2, 3],
        strides: [2, 1],
        padding: 1,
        ...quant
      }),
    {
      output: [3, 4],
      image: [4, 4],
      kernel: [2, 3],
      strides: [2, 1],
      before: [1, 1],
      groups: 2,
      channels: { image: 2, output: 3 }
    },
    true
  ),
  convolution(
    "transposed conv3d",
    (quant) => TransposedConvolution.quantConvTranspose3d({ ...channels, kernelSize: [2, 1, 2], ...quant }),
    { output: [2, 3, 2], image: [3, 3, 3], kernel: [2, 1, 2], channels: { image: 4, output: 3 } },
    true
  )
]

/** The shape of what comes in. */
const inputShape = ({ sums, transposed }: Subject): Array<number> => {
  const { batch, groups, image, output, channels } = sums
  return transposed ? [batch, ...output, groups * channels.output] : [batch, ...image, groups * channels.image]
}

/** The sums of products of integers, without a bias. */
const accumulated = ({ sums, transposed }: Subject, x: Sizes, w: Sizes): ReadonlyArray<number> => {
  const { batch, groups, image, output, channels } = sums
  const size = transposed
    ? batch * product(image) * groups * channels.image
    : batch * product(output) * groups * channels.output
  const y = new Array<number>(size).fill(0)
  for (const [inImage, tap, inOutput] of terms(sums)) {
    const [from, to] = transposed ? [inOutput, inImage] : [inImage, inOutput]
    y[to] = (y[to] as number) + (x[from] as number) * (w[tap] as number)
  }
  return y
}

/** The integers of what comes in and of the weight, as the layer has them. */
const operands = (layer: Weighted.Weighted, x: tf.Tensor) =>
  Effect.gen(function* () {
    const sameInput = yield* Activation.quantIdentity({ actQuant: layer.inputQuant ?? null, returnQuantTensor: true })
    const input = yield* quantized(sameInput, x)
    const weight = yield* Weighted.quantWeight(layer)
    const integers = QuantTensor.int(weight)
    const w = numbers(integers)
    tf.dispose([integers, ...QuantTensor.tensorsOf(weight)])
    return { x: input.integers, w }
  })

const quant = {
  weightQuant: Int8WeightPerTensorFloat,
  biasQuant: null,
  inputQuant: Int8ActPerTensorFloat,
  returnQuantTensor: true,
  hasBias: false
}
const floats = (shape: Array<number>): tf.Tensor =>
  tf.tidy(() => tf.div(tf.tensor([...wholes(product(shape), 7)], shape, "float32"), 8))

onBackends("layers with a weight", () => {
  for (const subject of subjects) {
    const { title, make } = subject

    scoped(`${title}: integers are the sums of products of integers`, () =>
      Effect.gen(function* () {
        const layer = yield* make(quant)
        const x = yield* owned(() => floats(inputShape(subject)))
        const y = yield* quantized(layer, x)
        const { x: left, w } = yield* operands(layer, x)
        expect(y.integers).toEqual(accumulated(subject, left, w))
        expect(Math.max(...y.integers.map(Math.abs))).toBeGreaterThan(100)
      })
    )

    scoped(`${title}: so too with a scale for each channel, and a bias on the scale of the products`, () =>
      Effect.gen(function* () {
        const weightQuant = Int8WeightPerChannelFloat as unknown as typeof Int8WeightPerTensorFloat
        const layer = yield* make({ ...quant, weightQuant, biasQuant: Int32Bias, hasBias: true })
        const x = yield* owned(() => floats(inputShape(subject)))
        const y = yield* quantized(layer, x)
        const { x: left, w } = yield* operands(layer, x)
        const sums = accumulated(subject, left, w)
        const bias = numbers((yield* State.parameters(layer)).bias as tf.Tensor)
        const [scale, co] = [numbers(y.scale), bias.length]
        const of = (channel: number): number => scale[scale.length === 1 ? 0 : channel] as number
        expect(y.integers).toEqual(
          sums.map((sum, at) => sum + Math.round(Math.fround((bias[at % co] as number) / of(at % co))))
        )
      })
    )

    scoped(`${title}: a plain bias is in the zero-point, and the integers stay the sums`, () =>
      Effect.gen(function* () {
        const layer = yield* make({ ...quant, hasBias: true })
        const x = yield* owned(() => floats(inputShape(subject)))
        const y = yield* quantized(layer, x)
        const { x: left, w } = yield* operands(layer, x)
        expect(y.integers).toEqual(accumulated(subject, left, w))
        expect(numbers(y.zeroPoint).some((z) => z !== 0)).toBe(true)
      })
    )

    scoped(`${title}: trains`, () =>
      Effect.gen(function* () {
        const soon = pipe(Int8ActPerTensorFloat, Injector.let({ collectStatsSteps: 2 }))
        const inputQuant = soon as unknown as typeof Int8ActPerTensorFloat
        const layer = yield* make({ ...quant, inputQuant, hasBias: true })
        const x = yield* owned(() => floats(inputShape(subject)))
        const losses = yield* trained(layer, x, 8)
        expect(losses.at(-1)).toBeLessThan((losses[0] as number) * 0.98)
      })
    )

    scoped(`${title}: of no elements it is empty, and NaN comes out as NaN`, () =>
      Effect.gen(function* () {
        const layer = yield* make({ ...quant, returnQuantTensor: false, hasBias: true })
        const [, ...rest] = inputShape(subject)
        const empty = yield* owned(() => tf.zeros([0, ...rest]))
        expect(yield* answer(layer, empty)).toEqual([])
        const unknown = yield* owned(() => tf.fill([1, ...rest], Number.NaN))
        expect((yield* answer(layer, unknown)).some(Number.isNaN)).toBe(true)
      })
    )

    scoped(`${title}: other ranks and channels are refused, with the layer's name and both shapes`, () =>
      Effect.gen(function* () {
        const layer = yield* make({ ...quant, returnQuantTensor: false })
        const shape = inputShape(subject)
        const more = [...shape.slice(0, -1), (shape.at(-1) as number) + 1]
        const wrong = title.startsWith("linear") ? [more, []] : [more, shape.slice(1), [1, ...shape]]
        for (const actual of wrong) {
          const x = yield* owned(() => tf.ones(actual))
          const error = yield* refusal(layer, x)
          expect(error).toMatchObject({ _tag: "ShapeMismatch", what: `the input of ${layer.kind}`, actual })
          expect(error.message).toContain(String(shape.at(-1)))
        }
      })
    )
  }

  scoped("a transposed convolution whose dilation is its stride: all taps meet, and the width holds their sum", () =>
    Effect.gen(function* () {
      const layer = yield* TransposedConvolution.quantConvTranspose1d({
        inChannels: 1,
        outChannels: 1,
        kernelSize: [8],
        strides: [2],
        dilations: [2],
        ...quant,
        weight: { bitWidth: 2 },
        input: { bitWidth: 2 }
      })
      const weight = yield* owned(() => tf.ones([8, 1, 1]))
      yield* State.load(layer, { weight }, "float")
      const x = yield* owned(() => tf.fill([1, 8, 1], -1))
      const y = yield* quantized(layer, x)
      // 8 products of -2 and 1
      expect(Math.min(...y.integers)).toBe(-16)
      expect(numbers(y.bitWidth)[0]).toBeGreaterThanOrEqual(Math.ceil(Math.log2(9 * 8)))
    })
  )

  scoped("sizes that cannot be are refused when the layer is made", () =>
    Effect.gen(function* () {
      const refused = (option: string) => ({ _tag: "InvalidOptions", option })
      const one = { inChannels: 2, outChannels: 2, kernelSize: [3] } as const
      for (const size of [0, -1, 1.5, Number.NaN]) {
        expect(yield* Effect.flip(Linear.quantLinear({ inFeatures: size, outFeatures: 2 }))).toMatchObject(
          refused("inFeatures")
        )
        for (const option of ["kernelSize", "strides", "dilations"]) {
          const options = { ...one, [option]: [size] }
          expect(yield* Effect.flip(Convolution.quantConv1d(options))).toMatchObject(refused(option))
          expect(yield* Effect.flip(TransposedConvolution.quantConvTranspose1d(options))).toMatchObject(refused(option))
        }
        expect(yield* Effect.flip(Convolution.quantConv1d({ ...one, inChannels: size }))).toMatchObject(
          refused("inChannels")
        )
      }
      for (const outputPadding of [[1], [-1], [0.5]] as const)
        expect(yield* Effect.flip(TransposedConvolution.quantConvTranspose1d({ ...one, outputPadding }))).toMatchObject(
          refused("outputPadding")
        )
      expect(yield* Effect.flip(Convolution.quantConv1d({ ...one, groups: 3 }))).toMatchObject(refused("groups"))
    })
  )

  scoped("scale and bias for each channel: integers are the products", () =>
    Effect.gen(function* () {
      const layer = yield* Normalization.quantScaleBias({ channels: 3, ...quant, hasBias: true })
      const x = yield* owned(() => floats([2, 2, 3]))
      const y = yield* quantized(layer, x)
      const { x: left, w } = yield* operands(layer, x)
      expect(y.integers).toEqual(left.map((value, at) => value * (w[at % 3] as number)))
      const wrong = yield* owned(() => tf.ones([2, 1]))
      expect(yield* refusal(layer, wrong)).toMatchObject({ what: "the input of QuantScaleBias", expected: "[..., 3]" })
    })
  )
})
