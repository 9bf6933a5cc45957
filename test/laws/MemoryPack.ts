/**
 * Programs of which nothing is left, and for each law one of which something is.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import type { Kernel } from "../../laws/KernelLaws.ts"
import * as Kernels from "../../laws/Kernels.ts"
import type * as Law from "../../laws/Law.ts"
import * as MemoryLaws from "../../laws/MemoryLaws.ts"
import * as TensorQuantizer from "../../src/core/TensorQuantizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Frozen from "../../src/nn/Frozen.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as QuantProxy from "../../src/proxy/QuantProxy.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import type { Pack } from "./Pack.ts"

type Program = MemoryLaws.Program
type Run = Program["run"]

const owned = <T extends tf.Tensor>(make: () => T): Effect.Effect<T, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (tensor) => Effect.sync(() => tensor.dispose()))
/** Where a program may be interrupted. */
const turn = Effect.yieldNow
const numbers = (seed: number, ...shape: ReadonlyArray<number>) =>
  owned(() =>
    tf.tensor(
      Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => Math.sin(seed + i)),
      [...shape],
      "float32"
    )
  )

const network = Effect.gen(function* () {
  const first = yield* Linear.quantLinear({
    inFeatures: 6,
    outFeatures: 4,
    seed: 1,
    inputQuant: ScaledInt.Int8ActPerTensorFloat
  })
  yield* turn
  const relu = yield* Activation.quantReLU({})
  yield* turn
  const last = yield* Linear.quantLinear({
    inFeatures: 4,
    outFeatures: 2,
    seed: 2,
    weightQuant: ScaledInt.Int8WeightPerChannelFloat
  })
  return Model.sequential({ first, relu, last } as never)
})

const answered = (layer: Layer.Layer, x: tf.Tensor, mode: Layer.Mode) =>
  Effect.map(Layer.forward(layer, x, mode), (y) => tf.dispose([...Layer.tensorsIn(y)]))

const resolving: Run = (fate, seed) =>
  Effect.gen(function* () {
    const x = yield* numbers(seed, 3, 4)
    const recipe = fate === "fails" ? { bitWidth: -1 } : { bitWidth: 4 }
    const injector = Injector.let(ScaledInt.Int8ActPerTensorFloat as Injector.Any, recipe)
    yield* turn
    const { tensorQuant } = yield* Injector.resolveUnknown(injector, ["tensorQuant"])
    yield* turn
    tf.tidy(() => void TensorQuantizer.quantize(tensorQuant as TensorQuantizer.TensorQuantizer, x))
  })

const running: Run = (fate, seed) =>
  Effect.gen(function* () {
    const model = yield* network
    const x = yield* numbers(seed, 3, fate === "fails" ? 5 : 6)
    for (const mode of [Layer.training, Layer.training, Layer.evaluation]) {
      yield* turn
      yield* answered(model, x, mode)
    }
  })

const loading: Run = (fate, seed) =>
  Effect.gen(function* () {
    const [from, to] = [yield* network, yield* network]
    const x = yield* numbers(seed, 3, 6)
    yield* answered(from, x, Layer.training)
    yield* turn
    const state = yield* State.extract(from)
    yield* turn
    const wrong = { "first.weight": yield* numbers(seed, 3, 3) }
    yield* State.load(to, fate === "fails" ? { ...state, ...wrong } : state, "report")
    yield* turn
    yield* answered(to, x, Layer.evaluation)
  })

const freezing: Run = (_, seed) =>
  Effect.gen(function* () {
    const model = yield* network
    const x = yield* numbers(seed, 3, 6)
    const frozen = yield* Frozen.make(model)
    yield* turn
    yield* answered(frozen, x, Layer.evaluation)
    yield* answered(model, x, Layer.training)
    yield* turn
    yield* answered(frozen, x, Layer.evaluation)
  })

const reloading: Run = (_, seed) =>
  Effect.gen(function* () {
    const model = yield* network
    const x = yield* numbers(seed, 3, 6)
    for (const [, proxy] of model.proxies) {
      yield* answered(model, x, Layer.training)
      yield* turn
      yield* QuantProxy.reload(proxy)
    }
    yield* answered(model, x, Layer.evaluation)
  })

const always = "it has no failure of its own"
const programs: ReadonlyArray<Program> = [
  { name: "resolving and quantizing", run: resolving },
  { name: "running a network", run: running },
  { name: "loading a state", run: loading },
  { name: "freezing a network", run: freezing, unfailing: always },
  { name: "reloading every quantizer", run: reloading, unfailing: always }
]

/** Keeps a tensor in some cases. */
const leaking =
  (when: (fate: MemoryLaws.Fate) => boolean): Run =>
  (fate, seed) =>
    Effect.andThen(
      Effect.sync(() => void (when(fate) && tf.scalar(seed))),
      fate === "fails" ? Effect.fail("as it should") : Effect.void
    )
const between: Run = () =>
  Effect.gen(function* () {
    const x = tf.scalar(1)
    yield* turn
    yield* turn
    yield* Effect.callback<void>((resume) => {
      setImmediate(() => resume(Effect.void))
    })
    x.dispose()
  })

const broken: ReadonlyArray<readonly [Law.Law<Program>, string, Run]> = [
  [MemoryLaws.succeeding, "a tensor for each success", leaking((fate) => fate === "succeeds")],
  [MemoryLaws.failing, "a tensor for each failure", leaking((fate) => fate === "fails")],
  [MemoryLaws.interrupted, "disposed at the end only", between],
  [MemoryLaws.repeated, "a tensor for each success", leaking((fate) => fate === "succeeds")]
]

export const pack: Pack<Program> = {
  name: "MemoryLaws",
  laws: MemoryLaws.all,
  good: programs.map((program) => [program.name, Effect.succeed(program)] as const),
  broken: broken.map(([law, how, run]) => [law, how, Effect.succeed({ name: how, run })]),
  runs: 32
}

const rectifier = Kernels.all.find(({ name }) => name === "the rectifier") as Kernel
export const operations: Pack<Kernel> = {
  name: "MemoryLaws of operations",
  laws: [MemoryLaws.operations],
  good: Kernels.all.map((kernel) => [kernel.name, Effect.succeed(kernel)] as const),
  broken: [
    [
      MemoryLaws.operations,
      "keeps what it makes",
      Effect.succeed({
        ...rectifier,
        make: (call) => {
          const made = rectifier.make(call)
          return {
            ...made,
            op: (x) => {
              tf.keep(tf.neg(x as tf.Tensor))
              return made.op(x as tf.Tensor)
            }
          }
        }
      })
    ]
  ],
  runs: 32
}
