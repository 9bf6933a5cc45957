import * as tf from "@tensorflow/tfjs-core"
import { Effect, Stream } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as State from "../../src/nn/State.ts"
import * as AbsorbBias from "../../src/ptq/AbsorbBias.ts"
import * as ActivationSizes from "../../src/ptq/ActivationSizes.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as Nets from "./Nets.ts"

/** The batch that `Nets.floatOf` runs on. */
const batches = (input: ReadonlyArray<number>): Ptq.Batches => Stream.make(() => Nets.batch(input))

/** With large biases in the first layer. */
const biased = (net: Nets.Net) =>
  Effect.gen(function* () {
    const made = yield* Nets.make(net)
    const first = Object.entries(yield* State.parameters(made.model)).filter(([name]) => name.endsWith("bias"))
    const raised = Object.fromEntries(first.map(([name, bias]) => [name, tf.add(bias, 10)]))
    yield* State.load(made.model, raised, "report")
    tf.dispose(raised)
    return made
  })

const largestAt = (model: Ptq.Model, layer: string) =>
  Effect.gen(function* () {
    const own = model.cells.find(([name]) => name === layer)?.[1] as never
    const { sizes } = yield* ActivationSizes.of(model, batches([3, 4]), [{ name: layer, own }], { step: "a test" })
    return Math.max(...(sizes.get(own) as ActivationSizes.Seen).high)
  })

describe("AbsorbBias.absorb", () => {
  it("changes nothing on the batches, if it takes no more than their least values", { timeout: 60_000 }, () =>
    fc.assert(
      fc.asyncProperty(Nets.net(), (net) =>
        Nets.run(
          Effect.gen(function* () {
            const { model, input } = yield* biased(net)
            const [before, wanted] = [yield* Nets.stateOf(model), yield* Nets.floatOf(model, input)]
            const next = yield* AbsorbBias.absorb(batches(input), { input, deviations: "least" })(model)
            expect(Nets.distance(wanted, yield* Nets.floatOf(next, input))).toBeLessThan(1e-4)
            expect(yield* Nets.stateOf(model)).toBe(before)
          })
        )
      ),
      { numRuns: 20, seed: 1 }
    )
  )
  it("makes the values after a rectifier smaller, and the network stays near", () =>
    Nets.run(
      Effect.gen(function* () {
        const { model, input } = yield* biased({ kind: "mlp", seed: 2, spread: 0 })
        const next = yield* AbsorbBias.absorb(batches(input), { input })(model)
        expect(yield* largestAt(next, "fc2")).toBeLessThan(0.7 * (yield* largestAt(model, "fc2")))
        const distance = Nets.distance(yield* Nets.floatOf(model, input), yield* Nets.floatOf(next, input))
        expect(distance).toBeLessThan(0.05)
      })
    ))
  it("says what is wrong", () =>
    Nets.run(
      Effect.gen(function* () {
        const { model, input } = yield* biased({ kind: "mlp", seed: 2, spread: 0 })
        const failing = (step: Ptq.Step<unknown>) => Effect.flip(step(model))
        expect(yield* failing(AbsorbBias.absorb(Stream.empty, { input }))).toMatchObject({ _tag: "NoCalibrationData" })
        expect(yield* failing(AbsorbBias.absorb(batches(input), { input, deviations: -1 }))).toMatchObject({
          option: "deviations"
        })
        const bad = Stream.make(() => tf.fill([1, 4], Number.NaN))
        expect(yield* failing(AbsorbBias.absorb(bad, { input }))).toMatchObject({
          _tag: "NonFiniteActivations",
          layer: "fc1"
        })
      })
    ))
})
