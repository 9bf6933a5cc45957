/**
 * What laws of quantizers are about: made in one line, resolved and released, with claims that their user adds and takes back.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, ManagedRuntime } from "effect"
import { describe, expect, it } from "vitest"
import * as GradientLaws from "../../laws/GradientLaws.ts"
import * as Law from "../../laws/Law.ts"
import * as Subject from "../../laws/Subject.ts"
import * as Laws from "../../laws/TensorQuantizerLaws.ts"
import * as Backend from "../../src/backend/Backend.ts"
import * as Rounding from "../../src/core/Rounding.ts"
import type { TensorQuantizer } from "../../src/core/TensorQuantizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import { Int8ActPerTensorFloat, Int8WeightPerTensorFloat } from "../../src/quant/ScaledInt.ts"

const runtime = ManagedRuntime.make(Backend.layer)
const down = Injector.let(Int8WeightPerTensorFloat, { floatToIntImpl: Rounding.FloorSte })

describe("a subject", () => {
  it("is made in one line, and leaves nothing", async () => {
    await runtime.runPromise(Effect.void)
    const before = tf.memory().numTensors
    for (const [, run] of Law.cases(Laws.all, Laws.subject(Int8ActPerTensorFloat), { runs: 5 })) await run()
    expect(tf.memory().numTensors).toBe(before)
  })
  it("is told what it breaks, with its name", async () => {
    const broken = Subject.altered(Laws.subject(Int8WeightPerTensorFloat), (quantizer) => ({
      ...quantizer,
      apply: (state, x, external) => {
        const [answer, memory] = quantizer.apply(state, x, external)
        return [{ ...answer, value: tf.add(answer.value, answer.scale) }, memory]
      }
    }))
    await expect(Law.check(Laws.zero, broken)).rejects.toThrow(
      /^"zero" is broken by Int8WeightPerTensorFloat\n {2}states {3}x_i = 0 => q\(x\)_i = 0\n {2}but for {2}x = float32\[6, 4\] /
    )
  })
  it("claims what the facts of its declaration say", () => {
    const claims = (law: Law.Law<Subject.Subject>, injector: Injector.Any) => law.unclaimed?.(Laws.subject(injector))
    expect(claims(Laws.sign, Int8WeightPerTensorFloat)).toBeUndefined()
    expect(claims(Laws.sign, down)).toBe("it rounds down")
    expect(claims(Laws.rounding, down)).toBeUndefined()
    expect(claims(Laws.narrowRange, Int8ActPerTensorFloat)).toBe("its range is not narrow")
    expect(claims(GradientLaws.learnedScale, Int8WeightPerTensorFloat)).toBe("its scale is not learned")
  })
  it("keeps the law of its own rounding", async () => {
    for (const floatToIntImpl of [
      Rounding.FloorSte,
      Rounding.CeilSte,
      Rounding.RoundToZeroSte,
      Rounding.DPURoundSte,
      Rounding.StochasticRoundSte
    ]) {
      const subject = Laws.subject(Injector.let(Int8WeightPerTensorFloat, { floatToIntImpl }))
      for (const [, run] of Law.cases([...Laws.all, ...GradientLaws.all], subject, { runs: 20 })) await run()
    }
  })
  it("claims more or less if its user says so", async () => {
    const more = Laws.subject(down, { claim: ["sign"] })
    expect((await Law.verdict(Laws.sign, more)).kind).toBe("broken")
    const less = Laws.subject(Int8WeightPerTensorFloat, { disclaim: { sign: "not needed" } })
    expect(await Law.verdict(Laws.sign, less)).toEqual({ kind: "not claimed", reason: "not needed" })
  })
  it("may be made by hand, and claims what another one does", async () => {
    const before = tf.memory().numTensors
    await runtime.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const quantizer = (yield* Injector.resolve(Int8WeightPerTensorFloat, "tensorQuant")) as TensorQuantizer
          const subject = Laws.handMade("Mine", quantizer, Int8WeightPerTensorFloat)
          for (const [, run] of Law.cases([...Laws.all, ...GradientLaws.all], subject, { runs: 5 }))
            yield* Effect.promise(run)
          const halved: TensorQuantizer = {
            ...quantizer,
            apply: (state, x) => {
              const [answer, memory] = quantizer.apply(state, x)
              return [{ ...answer, scale: tf.mul(answer.scale, 0.5) }, memory]
            }
          }
          const broken = Laws.handMade("Halved", halved, Int8WeightPerTensorFloat)
          expect((yield* Effect.promise(() => Law.verdict(Laws.range, broken))).kind).toBe("broken")
        })
      )
    )
    expect(tf.memory().numTensors).toBe(before)
  })
  it("may be computed elsewhere", async () => {
    const subject = Laws.subject(Int8WeightPerTensorFloat, { backend: Backend.cpu })
    expect((await Law.verdict(Laws.rounding, subject, { runs: 5 })).kind).toBe("kept")
    expect(tf.getBackend()).toBe("cpu")
    await tf.setBackend("wasm")
  })
  it("fails as its resolution does, or as its quantizer does", async () => {
    const incomplete = Laws.subject(Injector.make("Incomplete", { tensorQuant: Injector.link("elsewhere") }))
    await expect(Law.verdict(Laws.range, incomplete)).resolves.toMatchObject({ kind: "not claimed" })
    await expect(Law.verdict(Laws.shape, incomplete)).rejects.toThrow(/elsewhere/)
    const throwing = Laws.handMade(
      "Throwing",
      {
        label: "Throwing",
        children: {},
        parameters: {},
        memory: {},
        own: [],
        prepare: (state) => state,
        apply: () => {
          throw new RangeError("not today")
        }
      },
      Int8WeightPerTensorFloat
    )
    await expect(Law.verdict(Laws.shape, throwing)).rejects.toThrow("Throwing fails on a float32[6, 4]: not today")
  })
})
