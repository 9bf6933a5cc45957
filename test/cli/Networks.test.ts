/** Networks.ts, FullyConnected.ts, Convolutional.ts, CommonQuant.ts, Recipe.ts: what is built, and that it learns. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream, Terminal } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Convolutional from "../../src/cli/Convolutional.ts"
import * as Digits from "../../src/cli/Digits.ts"
import * as Folder from "../../src/cli/Folder.ts"
import * as Networks from "../../src/cli/Networks.ts"
import * as NodeLayer from "../../src/cli/Node.ts"
import * as Pieces from "../../src/cli/Pieces.ts"
import * as Recipe from "../../src/cli/Recipe.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Dataset from "../../src/exchange/Dataset.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import type * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Weighted from "../../src/nn/Weighted.ts"
import * as Batch from "../../src/train/Batch.ts"
import * as Metric from "../../src/train/Metric.ts"

const digits = Digits.make(1, 500)

/** Runs a program on the backend and checks that no tensor is left behind. */
const run = <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(program)
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer))
  )
const made = (name: string, images = digits, seed = 1) =>
  Effect.flatMap(Networks.find(name), ({ make }) => make(images, seed))

/** The different values of a tensor, in order; tensors are disposed. */
const distinct = (y: Layer.Value): ReadonlyArray<number> => {
  const values = [...new Set(QuantTensor.dequantized(y).dataSync())].sort((a, b) => a - b)
  QuantTensor.dispose(y)
  return values
}
const layerOf = <L = Layer.Layer>(model: Layer.Layer, name: string): L => (model as Model.Composed).layers[name] as L

const small = Networks.all.filter(({ training }) => training.by === "recipe").map(({ name }) => name)

describe("networks by name", () => {
  it("are two shapes in four schemes, and three in three widths", () => {
    expect(Networks.names).toHaveLength(17)
    expect(new Set(Networks.names).size).toBe(17)
    expect(small).toHaveLength(9)
    expect(Networks.names).toEqual(expect.arrayContaining(["tfc-1w1a", "mlp-float", "cnn-int4"]))
  })
  it("are found in whatever case, or the nearest name is told", async () => {
    expect((await run(Networks.find("SFC-2W2A"))).name).toBe("sfc-2w2a")
    const error = await run(Effect.flip(Networks.find("tfc-1w1")))
    expect(error).toMatchObject({ _tag: "UnknownNetwork", wanted: "tfc-1w1" })
    expect(error.message).toMatch(/^unknown network "tfc-1w1"; did you mean "tfc-1w1a"\? Known: mlp-float, /)
  })
  it.each(small)("%s answers ten numbers for an image, of weights and activations on their grid", (name) =>
    run(
      Effect.gen(function* () {
        const model = yield* made(name)
        const { weightBits, actBits } = (yield* Networks.find(name)).widths
        const x = yield* Effect.acquireRelease(
          Effect.sync(() => tf.tensor4d(Dataset.pixels(digits, [0, 1]), [2, 28, 28, 1])),
          (tensor) => Effect.sync(() => tensor.dispose())
        )
        const y = (yield* Layer.forward(model, x)) as tf.Tensor
        expect(y.shape).toEqual([2, 10])
        y.dispose()
        const grid = (bits: number) => (bits === 1 ? [-1, 1] : [-1, 0, 1])
        const first = layerOf<Weighted.Weighted>(model, name.startsWith("cnv") ? "conv1" : "fc1")
        expect(distinct(yield* Weighted.quantWeight(first))).toEqual(grid(weightBits))
        const ramp = tf.linspace(-2, 2, 41)
        expect(distinct(yield* Layer.forward(layerOf(model, "act1"), ramp))).toEqual(grid(actBits))
        const input = distinct(yield* Layer.forward(layerOf(model, "input"), ramp))
        ramp.dispose()
        if (name.startsWith("cnv")) expect([input[0], input.at(-1)]).toEqual([-1, 127 / 128])
        else expect(input).toEqual(grid(actBits))
      })
    )
  )
  it("begin with the same weights from the same seed, others from another, all within -1 to 1", () =>
    run(
      Effect.gen(function* () {
        const weightsOf = (seed: number) =>
          Effect.flatMap(made("tfc-1w1a", digits, seed), (model) =>
            Effect.map(State.parameters(model), (state) => [...(state["fc1.weight"] as tf.Tensor).dataSync()])
          )
        const [first, again, other] = [yield* weightsOf(1), yield* weightsOf(1), yield* weightsOf(2)]
        expect(again).toEqual(first)
        expect(other).not.toEqual(first)
        const reach = Math.max(...first.map(Math.abs))
        expect(reach).toBeLessThanOrEqual(1)
        expect(reach).toBeGreaterThan(0.99)
      })
    ))
  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("cannot begin with weights within %s", async (initialBound) => {
    const error = await run(Effect.flip(Linear.quantLinear({ inFeatures: 2, outFeatures: 2, initialBound })))
    expect(error).toMatchObject({ _tag: "InvalidOptions", option: "initialBound" })
  })
  it("of convolutions need images that are large enough", async () => {
    const { smallest } = Convolutional
    const error = await run(Effect.flip(made("cnv-1w1a", { ...digits, height: smallest - 1 })))
    expect(error).toMatchObject({ _tag: "ShapeMismatch", actual: [smallest - 1, 28] })
    expect(error.message).toContain(`at least ${smallest} x ${smallest} pixels`)
    await run(
      Effect.gen(function* () {
        const model = yield* made("cnv-1w1a", { ...digits, height: smallest, width: smallest })
        const x = tf.ones([1, smallest, smallest, 1])
        const y = (yield* Layer.forward(model, x)) as tf.Tensor
        expect(y.shape).toEqual([1, 10])
        expect(Object.values((yield* State.parameters(model))["fc1.weight"]?.shape ?? [])).toEqual([64, 128])
        tf.dispose([x, y])
      })
    )
  })
})

describe("the recipe", () => {
  const { train, test } = Folder.split(digits)
  const plan = { train, test, epochs: 8, seed: 1 }
  const losses = (name: string, seed: number) =>
    Effect.gen(function* () {
      const events = yield* Stream.runCollect(Recipe.train(yield* made(name), { ...plan, epochs: 4, seed }))
      return events.flatMap((event) => (event._tag === "EpochDone" ? [event.loss] : []))
    })

  it("divides the rate by ten at the half and at three quarters", () => {
    const { rate } = Recipe.optimizer(40, 80)
    const at = [0, 1599, 1600, 2399, 2400, 3199].map(rate)
    for (const [i, wanted] of [0.02, 0.02, 0.002, 0.002, 0.0002, 0.0002].entries()) expect(at[i]).toBeCloseTo(wanted, 9)
    expect(Recipe.optimizer(1, 80).check(["fc1.weight"])).toBeUndefined()
  })
  it("keeps the weights of linear layers and convolutions, and no others", () => {
    const names = ["fc1.weight", "conv12.weight", "output.weight", "norm1.weight", "norm.weight", "convNorm1.weight"]
    expect(names.filter(Recipe.isWeight)).toEqual(["fc1.weight", "conv12.weight", "output.weight"])
  })
  it("reduces the loss, with the same numbers from the same seed", () =>
    run(
      Effect.gen(function* () {
        const [first, again, other] = yield* Effect.forEach([1, 1, 2], (seed) => losses("tfc-2w2a", seed))
        expect(first?.at(-1)).toBeLessThan(0.7 * (first?.[0] as number))
        expect(again).toEqual(first)
        expect(other).not.toEqual(first)
      })
    ))
  it("reduces the loss of a convolutional network", () =>
    run(
      Effect.gen(function* () {
        const images = Dataset.slice(digits, 0, 200)
        const small = { train: images, test: Dataset.slice(digits, 200, 210), epochs: 2, seed: 1 }
        const events = yield* Stream.runCollect(Recipe.train(yield* made("cnv-1w1a"), small))
        const steps = events.flatMap((event) => (event._tag === "StepDone" ? [event.loss] : []))
        expect(steps).toHaveLength(4)
        expect(steps.at(-1)).toBeLessThan(steps[0] as number)
      })
    ))
  it("answers the best state, and weights that stayed from -1 to 1", () =>
    run(
      Effect.gen(function* () {
        const model = yield* made("tfc-1w1a")
        const { epochs, best, state } = yield* Recipe.run("tfc-1w1a", model, plan).pipe(
          Effect.updateService(Terminal.Terminal, (terminal) => ({ ...terminal, display: () => Effect.void })),
          Effect.provide(NodeLayer.layer)
        )
        expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
        expect(best.accuracy).toBe(Math.max(...epochs.map(({ accuracy }) => accuracy)))
        expect(best.accuracy).toBeGreaterThan(30)
        const now = yield* State.parameters(model)
        const names = Object.keys(now).filter(Recipe.isWeight)
        expect(names).toEqual(["fc1.weight", "fc2.weight", "fc3.weight", "output.weight"])
        for (const name of names) {
          const values = (now[name] as tf.Tensor).dataSync()
          expect(values.every((w) => Math.abs(w) <= 1)).toBe(true)
          expect(values.some((w) => Math.abs(w) === 1)).toBe(true)
        }
        // the state is that of the best epoch: loaded, it has its accuracy
        const other = yield* made("tfc-1w1a", digits, 7)
        expect((yield* State.load(other, state)).missing).toEqual([])
        const held = Batch.stream(Pieces.source(test), { batchSize: 100 })
        const { accuracy } = yield* Metric.evaluate(other, held, { accuracy: Metric.accuracy })
        expect(100 * accuracy).toBeCloseTo(best.accuracy, 9)
      })
    ))
})
