import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as IntScaling from "../../src/core/IntScaling.ts"

const number = (t: tf.Tensor): number => t.dataSync()[0] as number

describe("IntScaling", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true }))))

  it("takes the sign of the call where there is one, else the declared one, and asks for it otherwise", () =>
    void tf.tidy(() => {
      const bits = tf.scalar(8)
      const open = IntScaling.IntScaling({ narrowRange: false })
      const signed = IntScaling.IntScaling({ signed: true, narrowRange: true })
      expect([open.apply(bits, true), open.apply(bits, false), signed.apply(bits)].map(number)).toEqual([128, 255, 127])
      expect(() => open.apply(bits)).toThrow("signed")
      expect(number(IntScaling.PowerOfTwoIntScaling({}).apply(bits, false))).toBe(256)
      expect(() => IntScaling.PowerOfTwoIntScaling({}).apply(bits)).toThrow("signed")
    }))

  it("a constant threshold is one tensor of the brick", () => {
    const before = tf.memory().numTensors
    const self = IntScaling.SingleArgStatelessBuffer({})
    expect(Brick.parts(self)).toEqual([
      ["", "SingleArgStatelessBuffer"],
      ["const", "StatelessBuffer"]
    ])
    tf.tidy(() => {
      expect(number(self.apply(tf.scalar(3)))).toBe(1)
    })
    Brick.dispose(self)
    expect(tf.memory().numTensors).toBe(before)
    for (const wrong of [0, -1, Number.NaN])
      expect(() => IntScaling.SingleArgStatelessBuffer({ intScalingConst: wrong })).toThrow("intScalingConst")
  })
})
