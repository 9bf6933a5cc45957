import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as LearningRate from "../../src/core/LearningRate.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as GradientClip from "../../src/train/GradientClip.ts"
import * as Parameters from "../../src/train/Parameters.ts"

beforeAll(() => Effect.runPromise(Effect.provide(Effect.void, Backend.layer)))

type Numbers = Readonly<Record<string, ReadonlyArray<number>>>

const numbers = (x: tf.Tensor | undefined): ReadonlyArray<number> => [...(x?.dataSync() ?? [])]

/** The parameters after each step along these gradients. */
const along = (optimizer: Optimizer.Optimizer, start: Numbers, gradients: ReadonlyArray<Record<string, any>>) => {
  const before = tf.memory().numTensors
  const steps: Array<Numbers> = []
  tf.tidy(() => {
    const tensors = (all: Record<string, any>) =>
      Object.fromEntries(Object.entries(all).map(([name, x]) => [name, x === null ? null : tf.tensor1d(x)]))
    let parameters = tensors(start) as Optimizer.Named<tf.Tensor>
    let state = optimizer.init(parameters)
    for (const gradient of gradients) {
      ;[parameters, state] = optimizer.update(state, parameters, tensors(gradient))
      steps.push(Object.fromEntries(Object.entries(parameters).map(([name, x]) => [name, numbers(x)])))
    }
    expect(state.steps).toBe(gradients.length)
  })
  expect(tf.memory().numTensors).toBe(before)
  return steps
}
const near = (found: Numbers | undefined, wanted: Numbers) => {
  for (const [name, values] of Object.entries(wanted))
    values.forEach((x, i) => {
      expect(Math.abs((found?.[name]?.[i] ?? Number.NaN) - x), `${name}[${i}]`).toBeLessThan(1e-6 + 2e-6 * Math.abs(x))
    })
}
const gradients = [
  [3, -1],
  [-0.5, 0.25],
  [2, 2],
  [0, -4]
]

/** PyTorch's loop of SGD in plain numbers, for one element. */
const sgd = (p: number, given: ReadonlyArray<number>, rate: number, o: Required<Optimizer.SgdOptions>) => {
  let b: number | undefined
  return given.map((dy) => {
    const g = dy + o.weightDecay * p
    b = b === undefined ? g : o.momentum * b + (1 - o.dampening) * g
    p -= rate * (o.momentum === 0 ? g : o.nesterov ? g + o.momentum * b : b)
    return p
  })
}
/** PyTorch's loop of Adam and AdamW. */
const adam = (p: number, given: ReadonlyArray<number>, rate: number, decay: number, decoupled: boolean) => {
  const [b1, b2, e] = [0.8, 0.95, 1e-3]
  let [m, v] = [0, 0]
  return given.map((dy, i) => {
    if (decoupled) p -= rate * decay * p
    const g = decoupled ? dy : dy + decay * p
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g * g
    p -= (rate * (m / (1 - b1 ** (i + 1)))) / (Math.sqrt(v / (1 - b2 ** (i + 1))) + e)
    return p
  })
}

describe("the formulas of PyTorch", () => {
  const plain = { momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 }
  it.each([
    plain,
    { ...plain, weightDecay: 0.1 },
    { ...plain, momentum: 0.9 },
    { ...plain, momentum: 0.9, dampening: 0.3 },
    { ...plain, momentum: 0.9, nesterov: true, weightDecay: 0.05 }
  ])("sgd %o", (options) => {
    const steps = along(
      Optimizer.sgd(0.1, options),
      { p: [1, -2] },
      gradients.map((p) => ({ p }))
    )
    const wanted = [0, 1].map((i) =>
      sgd(
        [1, -2][i] as number,
        gradients.map((g) => g[i] as number),
        0.1,
        options
      )
    )
    steps.forEach((step, at) => {
      near(step, { p: wanted.map((all) => all[at] as number) })
    })
  })
  it.each([
    ["adam", Optimizer.adam, 0, false],
    ["adam", Optimizer.adam, 0.1, false],
    ["adamW", Optimizer.adamW, 0.1, true]
  ] as const)("%s (%o) with the weight decay %d", (_, make, weightDecay, decoupled) => {
    const options = { beta1: 0.8, beta2: 0.95, epsilon: 1e-3, weightDecay }
    const steps = along(
      make(0.1, options),
      { p: [1, -2] },
      gradients.map((p) => ({ p }))
    )
    const wanted = [0, 1].map((i) =>
      adam(
        [1, -2][i] as number,
        gradients.map((g) => g[i] as number),
        0.1,
        weightDecay,
        decoupled
      )
    )
    steps.forEach((step, at) => {
      near(step, { p: wanted.map((all) => all[at] as number) })
    })
  })
  it("a parameter begins with its first gradient, and one without stays the same tensor", () => {
    const late = along(Optimizer.adam(0.1), { p: [1], q: [1] }, [
      { p: [2], q: null },
      { p: [2], q: [-2] }
    ])
    near(late[0], { p: [0.9], q: [1] })
    near(late[1], { q: [1.1] })
    tf.tidy(() => {
      const parameters = { p: tf.scalar(5) }
      const [next] = Optimizer.sgd(0.1).update({ steps: 0, slots: {} }, parameters, { p: null })
      expect(next.p).toBe(parameters.p)
    })
  })
  it("signs alone decide, of gradients or of their momentum", () => {
    const gradients = [{ p: [3, -0.1, 0] }, { p: [-1, -0.1, 5] }]
    near(along(Optimizer.signSgd(0.5), { p: [1, 1, 1] }, gradients)[1], { p: [1, 2, 0.5] })
    near(along(Optimizer.signSgd(0.5, { momentum: 0.9 }), { p: [1, 1, 1] }, gradients)[1], { p: [0, 2, 0.5] })
  })
  it("the rate of each step is the schedule's", () => {
    const rate = LearningRate.multiStep({ initial: 1, at: [1, 3], factor: 0.5 })
    const steps = along(
      Optimizer.sgd(rate),
      { p: [0] },
      [1, 1, 1, 1].map((g) => ({ p: [g] }))
    )
    expect(steps.map(({ p }) => p?.[0])).toEqual([-1, -1.5, -2, -2.25])
  })
  it("new tensors are its own: what was handed in may go", () => {
    const kept = tf.tidy(() => {
      const [p, g] = [tf.tensor1d([1]), tf.tensor1d([2])]
      const [next, state] = Optimizer.sgd(0.1, { momentum: 0.9 }).update({ steps: 0, slots: {} }, { p }, { p: g })
      tf.dispose([p, g])
      return [...Object.values(next), ...Optimizer.tensorsOf(state)].map((x) => tf.keep(x))
    })
    expect(kept.map((x) => numbers(x)[0])).toEqual([expect.closeTo(0.8, 6), 2])
    tf.dispose(kept)
  })
})

describe("from optimisers to optimisers", () => {
  const unit = Optimizer.sgd(1)
  it("the norm of all gradients together is clipped, by one factor", () => {
    const clipped = pipe(unit, GradientClip.byNorm(1))
    near(along(clipped, { p: [0], q: [0], r: [7] }, [{ p: [3], q: [-4], r: null }])[0], { p: [-0.6], q: [0.8], r: [7] })
    near(along(clipped, { p: [0], q: [0] }, [{ p: [0.3], q: [0.4] }])[0], { p: [-0.3], q: [-0.4] })
  })
  it("values are clipped one by one, and NaN stays", () => {
    const clipped = GradientClip.byValue(unit, 0.5)
    const [step] = along(clipped, { p: [0, 0, 0] }, [{ p: [3, -4, 0.25] }])
    near(step, { p: [-0.5, 0.5, -0.25] })
    expect(along(clipped, { p: [0] }, [{ p: [Number.NaN] }])[0]?.p?.[0]).toBeNaN()
  })
  it("frozen parameters have no step, no decay and no slot", () => {
    const frozen = pipe(Optimizer.adamW(0.1, { weightDecay: 0.5 }), Parameters.freeze("q"))
    near(along(frozen, { p: [1], q: [1] }, [{ p: [1], q: [1] }])[0], { q: [1], p: [0.85] })
    tf.tidy(() => {
      const [p, q] = [tf.scalar(1), tf.scalar(1)]
      const [, state] = frozen.update({ steps: 0, slots: {} }, { p, q }, { p: tf.scalar(1), q: tf.scalar(1) })
      expect(Object.keys(state.slots)).toEqual(["p"])
    })
  })
  it("chosen parameters are kept within bounds after the step", () => {
    const bounds = { low: -1, high: 1, selection: (name: string) => /weight$/.test(name) }
    const [step] = along(Parameters.keepWithin(unit, bounds), { weight: [0.9, 0.9], bias: [0.9] }, [
      { weight: [-1, 4], bias: [-1] }
    ])
    near(step, { weight: [1, -1], bias: [1.9] })
    const [lost] = along(Parameters.keepWithin(unit, bounds), { weight: [0.9] }, [{ weight: [Number.NaN] }])
    expect(lost?.weight?.[0]).toBeNaN()
  })
  it("a part is trained by another optimiser with slots of its own", () => {
    const part = { selection: ["q"], optimizer: Optimizer.sgd(0.1, { momentum: 0.5 }) }
    const both = pipe(Optimizer.sgd(1), Parameters.trainWith(part))
    const steps = along(both, { p: [0], q: [0] }, [
      { p: [1], q: [1] },
      { p: [1], q: [1] }
    ])
    near(steps[1], { p: [-2], q: [-0.25] })
    expect(both.rate(0)).toBe(1)
  })
})

describe("options that cannot be", () => {
  const names = ["fc1.weight", "fc1.bias"]
  const wrong: ReadonlyArray<readonly [Optimizer.Optimizer, string]> = [
    [Optimizer.sgd(-1), 'LearningRate.constant: option "value"'],
    [Optimizer.adam(Number.NaN), "LearningRate.constant"],
    [Optimizer.adam(Number.POSITIVE_INFINITY), "LearningRate.constant"],
    [Optimizer.sgd(1, { momentum: -0.1 }), "momentum"],
    [Optimizer.sgd(1, { nesterov: true }), "nesterov"],
    [Optimizer.sgd(1, { nesterov: true, momentum: 0.9, dampening: 0.1 }), "nesterov"],
    [Optimizer.signSgd(1, { momentum: -1 }), "momentum"],
    [Optimizer.adam(1, { beta1: 1 }), "beta1"],
    [Optimizer.adamW(1, { weightDecay: -1 }), "weightDecay"],
    [GradientClip.byNorm(Optimizer.sgd(1), -1), "GradientClip.byNorm"],
    [GradientClip.byValue(Optimizer.sgd(1), Number.NaN), "GradientClip.byValue"],
    [Parameters.keepWithin(Optimizer.sgd(1), { low: 1, high: -1, selection: names }), "is not up to high"],
    [Parameters.freeze(Optimizer.sgd(1), "fc1.weigth"), 'did you mean "fc1.weight"?'],
    [
      Parameters.freeze(Optimizer.sgd(1), (name) => name === "x"),
      "selects none of the parameters: fc1.weight, fc1.bias"
    ],
    [pipe(Optimizer.sgd(-1), Parameters.freeze("fc1.bias"), GradientClip.byNorm(1)), "LearningRate.constant"],
    [
      Parameters.trainWith(Optimizer.sgd(1), { selection: "fc1.bias", optimizer: Optimizer.adam(-1) }),
      "LearningRate.constant"
    ]
  ]
  it.each(wrong.map(([optimizer, message]) => [message, optimizer] as const))("%s", (message, optimizer) => {
    expect(optimizer.check(names)?.message).toContain(message)
  })
  it("others have nothing against them", () => {
    const good = pipe(
      Optimizer.adam(LearningRate.cosine({ from: 0.1, steps: 10 })),
      GradientClip.byNorm(1),
      Parameters.freeze("fc1.bias"),
      Parameters.keepWithin({ low: -1, high: 1, selection: "fc1.weight" })
    )
    expect(good.check(names)).toBeUndefined()
  })
})
