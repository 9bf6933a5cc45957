/**
 * What a certificate runs: the file of a model, batch by batch, beside the model; and whether it is the file of that model.
 *
 * Room: exchange (level 5). Imports: tfjs, effect, `core`, `nn`, `tensor`, its own room. Laws: test/exchange/Certificate.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Layer from "../nn/Layer.ts"
import { ForeignModel, OtherState } from "../tensor/FileErrors.ts"
import * as Host from "../tensor/Host.ts"
import type { RuntimeFailed } from "../tensor/RuntimeErrors.ts"
import * as Graph from "./Graph.ts"
import * as Layout from "./OnnxLayout.ts"
import type * as OnnxModel from "./OnnxModel.ts"
import type { Floats, Runtime } from "./OnnxRuntime.ts"
import * as Sha256 from "./Sha256.ts"
import * as StateDigest from "./StateDigest.ts"

/** A file beside the model that it should be of. */
export interface Subject {
  readonly bytes: Uint8Array
  readonly read: OnnxModel.Model
  readonly model: Layer.Layer
  readonly graph: Graph.Graph
  readonly inputs: Floats
  /** how many inputs are computed at a time */
  readonly size: number
}

// ---- the file -----------------------------------------------------------------------------------------------

const shapeText = (shape: ReadonlyArray<number | string>): string => `[${shape.join(", ")}]`

/** Whether a value of a file has the sizes that a model's value has there; a size with a name fits any. */
const fits = (told: OnnxModel.ValueInfo | undefined, shape: ReadonlyArray<number>): boolean =>
  told !== undefined &&
  told.shape.length === shape.length &&
  told.shape.every((size, i) => i === 0 || typeof size === "string" || size === shape[i])

/** Checks that a file takes and gives what a model does, and says how many inputs it takes at a time, if that is fixed. */
export const batchOf = (
  file: string,
  { graph }: OnnxModel.Model,
  traced: Graph.Graph
): Effect.Effect<number | undefined, ForeignModel> =>
  Effect.gen(function* () {
    const ends = [
      ["input", traced.input, graph.input],
      ["output", traced.output, graph.output]
    ] as const
    for (const [what, name, told] of ends) {
      const [one, ...others] = told
      const shape = Layout.shapeIn(
        { name, first: Layout.isOutsideFirst(traced, name) },
        traced.shapes[name] as ReadonlyArray<number>
      )
      if (others.length > 0 || !fits(one, shape)) {
        const its = one === undefined ? "none" : others.length > 0 ? "several" : shapeText(one.shape)
        const reason = `its ${what} is ${its}, that of the model ${shapeText(["N", ...shape.slice(1)])}`
        return yield* new ForeignModel({ file, reason })
      }
    }
    const size = graph.input[0]?.shape[0]
    return typeof size === "number" && size > 0 ? size : undefined
  })

/** Checks that a file was exported from the state that a model has, where it says from which one. */
export const sameState = (
  file: string,
  { metadataProps }: OnnxModel.Model,
  model: Layer.Layer,
  state: string
): Effect.Effect<void, OtherState> =>
  Effect.gen(function* () {
    const stated = metadataProps.find(({ key }) => key === StateDigest.key)?.value
    if (stated === undefined) return
    const actual = yield* StateDigest.of(model)
    if (actual !== stated) return yield* new OtherState({ file, state, stated, actual })
  })

// ---- computing ----------------------------------------------------------------------------------------------

export const product = (sizes: ReadonlyArray<number>): number => sizes.reduce((a, b) => a * b, 1)

/** Values of breve's layout as the file has them, and back. */
const moved = ({ shape, data }: Floats, isFirst: boolean, order: (rank: number) => ReadonlyArray<number>): Floats =>
  isFirst ? Graph.permuted({ shape, data }, order(shape.length)) : { shape, data }

/** The floats that a model answers in evaluation. */
const trained = (
  { model, graph: { indices } }: Subject,
  { shape, data }: Floats
): Effect.Effect<Floats, Layer.InputError> =>
  Effect.acquireUseRelease(
    Effect.sync(() => tf.tensor(data, [...shape], indices === undefined ? "float32" : "int32")),
    (x) =>
      Effect.map(Layer.forward(model, x), (y) => {
        const plain = QuantTensor.dequantized(y)
        const floats = { shape: [...plain.shape], data: Host.floats(plain).slice() }
        QuantTensor.dispose(y)
        return floats
      }),
    (x) => Effect.sync(() => x.dispose())
  )

/** Some of the inputs, filled up with zeros to `size` of them. */
const part = ({ shape, data }: Floats, from: number, size: number): Floats => {
  const one = product(shape.slice(1))
  const filled = new Float32Array(size * one)
  filled.set(data.subarray(from * one, (from + size) * one))
  return { shape: [size, ...shape.slice(1)], data: filled }
}

export const hashOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): string =>
  Sha256.hex(new Uint8Array(buffer, byteOffset, byteLength))

/** Some inputs and the answers to them, in breve's layout, and the inputs as the file has them. */
export interface Part {
  readonly x: Floats
  readonly there: Floats
  readonly inRuntime: Floats
  readonly inTraining: Floats
  /** the place of the first one, and how many count */
  readonly from: number
  readonly taken: number
}

/** Runs all inputs through the file and through the model, and hands on every batch. */
export const run = <E>(
  subject: Subject,
  runtime: Runtime,
  use: (part: Part) => Effect.Effect<void, E>
): Effect.Effect<void, E | RuntimeFailed | Layer.InputError, Scope.Scope> =>
  Effect.gen(function* () {
    const { bytes, graph, inputs, size } = subject
    const [first, last] = [graph.input, graph.output].map((name) => Layout.isOutsideFirst(graph, name))
    const count = inputs.shape[0] ?? 0
    const session = yield* runtime.open(bytes)
    for (let from = 0; from < count; from += size) {
      const x = part(inputs, from, size)
      const there = moved(x, first === true, Layout.toFirst)
      const inRuntime = moved(yield* session.run(there), last === true, Layout.toLast)
      const inTraining = yield* trained(subject, x)
      yield* use({ x, there, inRuntime, inTraining, from, taken: Math.min(size, count - from) })
      yield* Effect.yieldNow
    }
  })

/** Values of the file's layout as breve has them. */
export const back = ({ graph }: Subject, floats: Floats): Floats =>
  moved(floats, Layout.isOutsideFirst(graph, graph.output), Layout.toLast)

/** Values of breve's layout as the file has them. */
export const there = ({ graph }: Subject, floats: Floats): Floats =>
  moved(floats, Layout.isOutsideFirst(graph, graph.output), Layout.toFirst)
