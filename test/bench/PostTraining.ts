/**
 * The figures of rounding after training: a linear layer of 1024 x 1024 weights at 4 bits, from 512 inputs.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import type * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as State from "../../src/nn/State.ts"
import * as Gpfq from "../../src/ptq/Gpfq.ts"
import * as Gptq from "../../src/ptq/Gptq.ts"
import type * as Layerwise from "../../src/ptq/Layerwise.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Random from "../../src/tensor/Random.ts"
import type { Figure } from "./Figure.ts"

const size = 1024

type Step = (batches: Ptq.Batches) => Ptq.Step<Layerwise.StepError>

const figure = (
  name: string,
  step: Step
): Effect.Effect<Figure, Effect.Error<ReturnType<typeof State.assign>> | Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const layer = yield* Linear.quantLinear({
      inFeatures: size,
      outFeatures: size,
      hasBias: false,
      weightQuant: ScaledInt.Int8WeightPerChannelFloat,
      weight: { bitWidth: 4, scalingImplType: "parameterFromStats" }
    })
    const drawn = (label: string, rows: number): tf.Tensor =>
      tf.tensor2d(Random.normal(Random.split(Random.make(7), label), rows * size, 0, 1), [rows, size])
    const [weight, x] = [drawn("weight", size), drawn("x", size / 2)]
    yield* State.assign(layer, { weight })
    const whole = Effect.scoped(step(Stream.make(x))(layer))
    return { name, inner: 1, samples: 3, call: () => Effect.runSync(whole) }
  })

export const figures = Effect.all([figure("ptq.gptq.1024", Gptq.gptq), figure("ptq.gpfq.1024", Gpfq.gpfq)])
