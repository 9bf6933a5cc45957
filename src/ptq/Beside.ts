/**
 * What steps put beside a layer: products with a matrix, scales, branches; and the models that stand in its place then.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `inject`, `nn`, `proxy`, `./Change.ts`, `./Matrix.ts`, `./Prepare.ts`.
 * Laws: test/ptq/Structure.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import type * as Injector from "../inject/Injector.ts"
import * as Elementwise from "../nn/Elementwise.ts"
import type * as Layer from "../nn/Layer.ts"
import * as Linear from "../nn/Linear.ts"
import * as Model from "../nn/Model.ts"
import * as Cell from "../proxy/Cell.ts"
import * as QuantProxy from "../proxy/QuantProxy.ts"
import type * as Change from "./Change.ts"
import * as Matrix from "./Matrix.ts"
import * as Prepare from "./Prepare.ts"

// ---- layers -------------------------------------------------------------------------------------------------

/** A layer that multiplies with a matrix, quantized or not. */
export const product = (
  { rows, columns, data }: Matrix.Matrix,
  quant: Injector.Any | null = null
): Effect.Effect<Layer.Layer, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const layer = yield* Linear.quantLinear({
      inFeatures: rows,
      outFeatures: columns,
      hasBias: false,
      weightQuant: quant as null
    })
    yield* Effect.sync(() => {
      const weight = tf.keep(tf.tensor2d(Float32Array.from(data), [rows, columns]))
      Cell.commit(layer.own, { parameters: { weight }, memory: {} })
    })
    for (const [, proxy] of layer.proxies) yield* QuantProxy.reload(proxy)
    return layer
  })

/** A sum of float values. */
export const sum = Elementwise.quantEltwiseAdd({ inputQuant: null, outputQuant: null })

// ---- models -------------------------------------------------------------------------------------------------

/** What becomes of a layer: the model in its place. */
export type Place = (layer: Layer.Stateful) => Layer.Stateful

const asLayer = (layer: Layer.Stateful): Layer.Layer => layer as Layer.Layer

export const scaleBefore =
  (scale: Layer.Layer): Place =>
  (layer) =>
    Model.sequential({ scale, layer: asLayer(layer) })

export const scaleAfter =
  (scale: Layer.Layer): Place =>
  (layer) =>
    Model.sequential({ act: asLayer(layer), scale })

export const rotation =
  (rotation: Layer.Layer): Place =>
  (layer) =>
    Model.sequential({ rotation, layer: asLayer(layer) })

/** The layer's answer, and what two narrow products make of its input, added. */
export const branch =
  (down: Layer.Layer, up: Layer.Layer, add: Elementwise.Elementwise<readonly [Layer.Value, Layer.Value]>): Place =>
  (layer) =>
    Model.functional({ layer: asLayer(layer), down, up, add }, (l, x: Layer.Value) =>
      l.add([QuantTensor.dequantized(l.layer(x)), QuantTensor.dequantized(l.up(l.down(QuantTensor.dequantized(x))))])
    )

// ---- without numbers ----------------------------------------------------------------------------------------

const one = Matrix.make(1, 1, [1])
const single = Effect.suspend(() => Prepare.scaling(Float32Array.of(1)))

/** What a change of this kind makes of a layer, its layers as small as can be: their parameters are still to come. */
export const blank: Readonly<Record<Change.Kind, Effect.Effect<Place, Layer.BuildError, Scope.Scope>>> = {
  identity: Effect.succeed(() => Model.identity),
  scaleBefore: Effect.map(single, scaleBefore),
  scaleAfter: Effect.map(single, scaleAfter),
  rotation: Effect.map(product(one), rotation),
  branch: Effect.gen(function* () {
    return branch(yield* product(one), yield* product(one), yield* sum)
  })
}
