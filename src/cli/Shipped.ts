/**
 * What becomes of a trained network when it leaves: its files, their certificate, their sizes, and how fast they run.
 *
 * Room: cli (level 6). Imports: tfjs, effect, `core`, `exchange`, `nn`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Option } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Certificate from "../exchange/Certificate.ts"
import type * as Dataset from "../exchange/Dataset.ts"
import * as Onnx from "../exchange/Onnx.ts"
import * as OnnxEvaluator from "../exchange/OnnxEvaluator.ts"
import { type Floats, OnnxRuntime } from "../exchange/OnnxRuntime.ts"
import type * as Layer from "../nn/Layer.ts"
import * as Host from "../tensor/Host.ts"
import * as Bytes from "./Bytes.ts"
import * as Latency from "./Latency.ts"
import type { Image } from "./Network.ts"
import type * as Networks from "./Networks.ts"
import type * as Output from "./Output.ts"

/** Files of one network; what needs the runtime is absent where that is not installed. */
export interface Shipped {
  readonly name: string
  readonly files: Output.Files
  readonly sizes: {
    readonly float: Bytes.Size
    /** integers of whole bytes */
    readonly qcdq: Bytes.Size
    /** weights of up to four bits, two in a byte; undefined: they have more */
    readonly packed: Bytes.Size | undefined
    readonly qonnx: Bytes.Size
  }
  /** of the QCDQ file, where the runtime is there, and of the QONNX file */
  readonly certificates: ReadonlyArray<Certificate.Certificate>
  readonly latency: Latency.Latency | undefined
}

/** The shape of one input of a network. */
export const inputShape = ({ height, width }: Image): ReadonlyArray<number> => [1, height, width, 1]

/**
 * The version of the operators that a network is exported with: the first one, or that in which small weights take half a byte.
 * onnxruntime-web 1.30 does not load all networks of the second one: its optimiser fails at a pool between quantizers, which some
 * networks of the recipe have.
 */
export const opsetOf = ({ widths, training }: Networks.Network): Onnx.Opset =>
  widths.weightBits <= 4 && training.by === "tuning" ? 21 : 13

/** The first images as a network takes them. */
export const inputsOf = (network: Networks.Network, images: Dataset.Dataset, count: number): Floats => {
  const size = Math.min(count, images.count)
  const indices = Uint32Array.from({ length: size }, (_, i) => i)
  const data = { values: new Float32Array() }
  tf.tidy(() => {
    const { input } = network.source(images).batch(indices).tensors()
    data.values = Host.floats(QuantTensor.dequantized(input)).slice()
  })
  return { shape: [size, images.height, images.width, 1], data: data.values }
}

/**
 * Exports a quantized network and certifies its files with some images, the QONNX file, which plain arrays compute, with a fifth of
 * them. What needs the runtime is left out where that is not there.
 */
export const ship = Effect.fn("Shipped.ship")(function* (
  network: Networks.Network,
  model: Layer.Layer,
  images: Dataset.Dataset,
  count: number
) {
  const { name } = network
  const options = { inputShape: inputShape(images) }
  const float = yield* Onnx.exportFloat(model, options)
  const qcdq = yield* Onnx.exportQcdq(model, options)
  const opset = opsetOf(network)
  const shipped = opset === 13 ? qcdq : yield* Onnx.exportQcdq(model, { ...options, opset })
  const qonnx = yield* Onnx.exportQonnx(model, options)
  const inputs = inputsOf(network, images, count)
  const [height, width] = [images.height, images.width]
  const first = { shape: [1, 1, height, width], data: inputs.data.slice(0, height * width) }
  const checked = yield* Effect.serviceOption(OnnxRuntime).pipe(
    Effect.flatMap(
      Option.match({
        onNone: () => Effect.succeedNone,
        onSome: (runtime) =>
          Effect.all({
            certificate: Certificate.certify(shipped, model, inputs, { file: `${name}.onnx` }),
            latency: Latency.measure(float, shipped, first)
          }).pipe(Effect.provideService(OnnxRuntime, runtime), Effect.asSome)
      })
    )
  )
  const found = Option.getOrUndefined(checked)
  const general = yield* Effect.provide(
    Certificate.certify(qonnx, model, inputsOf(network, images, count / 5), { file: `${name}.qonnx.onnx` }),
    OnnxEvaluator.layer
  )
  return {
    name,
    files: {
      [`${name}.onnx`]: shipped,
      [`${name}.qonnx.onnx`]: qonnx,
      ...(found !== undefined && { [`${name}.certificate.json`]: Certificate.json(found.certificate) }),
      [`${name}.qonnx.certificate.json`]: Certificate.json(general)
    },
    sizes: {
      float: yield* Bytes.sizeOf(float),
      qcdq: yield* Bytes.sizeOf(qcdq),
      packed: opset === 13 ? undefined : yield* Bytes.sizeOf(shipped),
      qonnx: yield* Bytes.sizeOf(qonnx)
    },
    certificates: [...(found === undefined ? [] : [found.certificate]), general],
    latency: found?.latency
  } satisfies Shipped
})
