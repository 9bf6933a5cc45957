/**
 * For each law of tensor quantizers and of their gradients, a quantizer of the catalogue that is broken in the way it forbids.
 *
 * The good ones are all entries of the catalogue: `Catalogue.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as GradientLaws from "../../laws/GradientLaws.ts"
import type * as QuantizerLaw from "../../laws/QuantizerLaw.ts"
import { altered, begun, declared, resolved, type Subject } from "../../laws/Subject.ts"
import * as Laws from "../../laws/TensorQuantizerLaws.ts"
import type { Quantized, TensorQuantizer } from "../../src/core/TensorQuantizer.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"
import type { Pack } from "./Pack.ts"

const entry = (name: string): Subject => declared(Catalogue.entries[name] as Parameters<typeof declared>[0])
/** Its scale is the largest magnitude of each call. */
const following = entry("Int8WeightPerTensorFloat")
/** Its scale is learned, so that values lie beyond its range. */
const learned = entry("Int8WeightPerTensorFloatMSE")
/** Its zero-point is learned. */
const lying = entry("ShiftedUint8ActPerTensorFloat")
const float = entry("Fp8e4m3WeightPerTensorFloat")

/** A quantizer that answers something else. */
const answering = (subject: Subject, f: (answer: Quantized, x: tf.Tensor) => Partial<Quantized>): Subject =>
  altered(subject, (quantizer) => ({
    ...quantizer,
    apply: (state, x, external): ReturnType<TensorQuantizer["apply"]> => {
      const [answer, memory] = quantizer.apply(state, x, external)
      return [{ ...answer, ...f(answer, x) }, memory]
    }
  }))
const valued = (subject: Subject, f: (value: tf.Tensor, x: tf.Tensor, scale: tf.Tensor) => tf.Tensor): Subject =>
  answering(subject, ({ value, scale }, x) => ({ value: f(value, x, scale) }))

const scaled = (n: number, scale: tf.Tensor): tf.Tensor => tf.mul(scale, n)
const once = { calls: 0 }
/** More gradient than there should be, of the same value. */
const leaking = (value: tf.Tensor, x: tf.Tensor): tf.Tensor => tf.add(value, tf.sub(x, Gradient.stopped(x)))

/** Writes into the memory of the WASM backend, which no op does. */
const overwriting = (x: tf.Tensor): void => {
  const backend = tf.backend() as unknown as { typedArrayFromHeap: (x: tf.Tensor) => Float32Array }
  backend.typedArrayFromHeap(x)[0] = 7
}

/** Begins anew with each tensor. */
const forgetful = (quantizer: TensorQuantizer): TensorQuantizer => ({
  ...quantizer,
  apply: (state, x, external) => {
    const { parameters, memory } = begun(quantizer, x, external ?? {})
    return state.training
      ? quantizer.apply(state, x, external)
      : quantizer.apply({ ...state, parameters, memory }, x, external)
  }
})

const table: ReadonlyArray<readonly [QuantizerLaw.Any, string, Subject]> = [
  [
    Laws.range,
    "one code too many",
    valued(following, (y, _, s) => tf.where(tf.greater(y, scaled(126.5, s)), tf.add(y, s), y))
  ],
  [Laws.fewLevels, "nothing is quantized", valued(following, (_, x) => x)],
  [Laws.width, "one bit less is answered", answering(following, ({ bitWidth }) => ({ bitWidth: tf.sub(bitWidth, 1) }))],
  [Laws.grid, "a quarter of a step too far", valued(following, (y, _, s) => tf.add(y, scaled(0.25, s)))],
  [Laws.minifloat, "between two values", valued(float, (y) => tf.mul(y, 1.01))],
  [Laws.rounding, "down", valued(following, (_, x, s) => tf.mul(tf.floor(tf.div(x, s)), s))],
  [
    Laws.rounding,
    "the end of the range wraps around",
    valued(learned, (y, x, s) => tf.where(tf.greater(x, scaled(127.5, s)), scaled(-127, s), y))
  ],
  [
    Laws.narrowRange,
    "the full range",
    valued(learned, (y, x, s) => tf.where(tf.less(x, scaled(-127.5, s)), scaled(-128, s), y))
  ],
  [Laws.monotone, "the other way round", valued(following, (y) => tf.neg(y))],
  [Laws.positiveScale, "the sign of the scale", answering(following, ({ scale }) => ({ scale: tf.neg(scale) }))],
  [Laws.idempotent, "a step further each time", valued(learned, (y, _, s) => tf.add(y, s))],
  [Laws.requantized, "half as much", valued(following, (y) => tf.mul(y, 0.5))],
  [Laws.zero, "a step away from zero", valued(following, (y, _, s) => tf.add(y, s))],
  [Laws.sign, "down", valued(following, (_, x, s) => tf.mul(tf.floor(tf.div(x, s)), s))],
  [Laws.scaling, "a grid of its own", valued(following, (_, x) => tf.div(tf.round(tf.mul(x, 8)), 8))],
  [Laws.permuting, "places count", valued(following, (y) => tf.mul(y, tf.reshape(tf.range(1, y.size + 1), y.shape)))],
  [Laws.independent, "the mean is taken away", valued(learned, (y, x) => tf.sub(y, tf.mean(x)))],
  [Laws.shape, "flat", valued(following, (y) => tf.reshape(y, [-1]))],
  [Laws.shape, "integers", valued(following, (y) => tf.cast(y, "int32"))],
  [
    Laws.nothing,
    "something of nothing",
    valued(entry("Int8ActPerTensorFloat"), (y, x) => (x.size === 0 ? tf.zeros([1]) : y))
  ],
  [
    Laws.deterministic,
    "every second call",
    valued(following, (y, _, s) => (once.calls++ % 2 === 0 ? y : tf.add(y, s)))
  ],
  [Laws.nan, "NaN becomes 0", valued(learned, (y, x) => tf.where(tf.isNaN(x), tf.zerosLike(x), y))],
  [Laws.infinite, "infinity becomes 0", valued(learned, (y, x) => tf.where(tf.isInf(x), tf.zerosLike(x), y))],
  [
    Laws.reading,
    "the input is written to",
    valued(following, (y, x) => {
      overwriting(x)
      return y
    })
  ],
  [Laws.traceless, "a tensor is kept", valued(following, (y) => tf.add(y, tf.keep(tf.scalar(0))))],
  [
    Laws.beginning,
    "half of it",
    answering(entry("Fp8e4m3OCPActPerTensorFloat"), ({ scale }) => ({ scale: tf.mul(scale, 0.5) }))
  ],
  [Laws.beginning, "whatever comes", altered(entry("Int8ActPerTensorFloat"), forgetful)],
  [GradientLaws.finite, "the root of 0", valued(following, (y, x) => tf.add(y, tf.sqrt(tf.mul(x, 0))))],
  [GradientLaws.inside, "twice", valued(learned, leaking)],
  [GradientLaws.beyond, "not masked", valued(learned, leaking)],
  [GradientLaws.minifloat, "straight through", valued(float, (y, x) => tf.add(x, Gradient.stopped(tf.sub(y, x))))],
  [
    GradientLaws.linear,
    "squared",
    valued(
      learned,
      Gradient.customGradient((y: tf.Tensor, _x: tf.Tensor, _s: tf.Tensor) => ({
        value: tf.clone(y),
        gradient: (dy) => [tf.square(dy), tf.zerosLike(_x), tf.zerosLike(_s)]
      }))
    )
  ],
  [GradientLaws.learnedScale, "the scale is not learned", valued(learned, (y, x) => leaking(Gradient.stopped(y), x))],
  [GradientLaws.learnedZeroPoint, "it is not learned", valued(lying, (y, x) => leaking(Gradient.stopped(y), x))],
  [GradientLaws.differences, "the scale is not learned", valued(learned, (y, x) => leaking(Gradient.stopped(y), x))]
]

/** What the tests of the pack look at besides the catalogue: one of each kind. */
const good = [
  "Int8WeightPerTensorFloat",
  "Int8WeightPerChannelFloatMSE",
  "Int8ActPerTensorFloat",
  "Uint8ActPerTensorFloat",
  "ShiftedUint8ActPerTensorFloat",
  "Int8BiasPerTensorFloatInternalScaling",
  "TruncTo8bit",
  "Int4WeightPerTensorFloatDecoupled",
  "ShiftedUint8WeightGroupQuantFloat",
  "SignedBinaryActPerTensorConst",
  "Fp8e4m3OCPActPerTensorFloat",
  "MXFloat4e2m1Act",
  "NoneActQuant"
]

const laws = [...Laws.all, ...GradientLaws.all]

export const pack: Pack<Subject> = {
  name: "TensorQuantizerLaws",
  laws,
  verdicts: (_, subject, options) => Effect.runPromise(Laws.verdicts(laws, subject, options)),
  good: good.map((name) => [name, resolved(entry(name))]),
  broken: table.map(([law, how, subject]) => [law, how, Effect.succeed(subject)]),
  runs: 40
}
