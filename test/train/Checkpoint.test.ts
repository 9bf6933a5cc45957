import * as tf from "@tensorflow/tfjs-core"
import { Effect, MutableRef, pipe, Result, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as Safetensors from "../../src/exchange/Safetensors.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import { InvalidCheckpoint } from "../../src/tensor/Errors.ts"
import * as Random from "../../src/tensor/Random.ts"
import type * as Stored from "../../src/tensor/Stored.ts"
import * as Tree from "../../src/tensor/Tree.ts"
import * as Checkpoint from "../../src/train/Checkpoint.ts"
import * as CheckpointArchive from "../../src/train/CheckpointArchive.ts"
import * as Trainer from "../../src/train/Trainer.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(effect)
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer))
  )

const actQuant = pipe(ScaledInt.Uint8ActPerTensorFloat, Injector.let({ collectStatsSteps: 7 }))
const runtime = pipe(ScaledInt.Int8ActPerTensorFloat, Injector.let({ scalingImplType: "stats" }))

const network = (seed = 3, outFeatures = 1) =>
  Effect.gen(function* () {
    const input = yield* Activation.quantIdentity({ actQuant: runtime })
    const fc1 = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 8, seed })
    const relu = yield* Activation.quantReLU({ actQuant })
    const fc2 = yield* Linear.quantLinear({ inFeatures: 8, outFeatures, seed: seed + 1 })
    return Model.sequential({ input, fc1, relu, fc2 })
  })

const optimizers = {
  sgd: Optimizer.sgd(0.02, { momentum: 0.9, weightDecay: 0.01 }),
  adam: Optimizer.adam(0.05),
  adamW: Optimizer.adamW(0.05)
}
const position = { ...Checkpoint.beginning(Random.make(5)), epoch: 2, batch: 3, samples: 24, loss: 0.1 }

/** Steps on data that differ from step to step. */
const steps = (trainer: Trainer.Trainer, count: number) =>
  Effect.gen(function* () {
    const losses: Array<number> = []
    for (let i = 0; i < count; i++) {
      const at = Trainer.steps(trainer)
      const values = Random.normal(Random.split(Random.make(11), at), 32, 0, 1 + at / 10)
      const x = tf.tensor2d(values, [8, 4])
      losses.push(yield* Trainer.step(trainer, x, (y) => tf.mean(tf.square(tf.sub(y, tf.sum(x, 1, true))))))
      x.dispose()
    }
    return losses
  })

/** Every bit of what a training has. */
const bits = (trainer: Trainer.Trainer) => {
  const states = [...Layer.read(trainer.model).values()].flatMap(({ parameters, memory }) => [
    ...Tree.leaves(parameters),
    ...Tree.leaves(memory)
  ])
  const { steps, slots } = MutableRef.get(trainer.state)
  const hex = (leaf: tf.Tensor | number) =>
    typeof leaf === "number" ? leaf : [leaf.shape, Buffer.from(leaf.dataSync().buffer.slice(0)).toString("hex")]
  return {
    states: states.map(([name, leaf]) => [name, hex(leaf)]),
    steps,
    slots: Object.entries(slots).map(([name, slot]) => [
      name,
      slot.steps,
      Object.entries(slot.tensors).map(([kind, tensor]) => [kind, hex(tensor)])
    ])
  }
}

describe.each(Object.entries(optimizers))("a training with %s that goes on from a checkpoint", (_, optimizer) => {
  it.each(["value", "file"])("has the bits of one that never stopped (%s)", (way) =>
    run(
      Effect.gen(function* () {
        const whole = yield* Trainer.make(yield* network(), optimizer)
        const losses = yield* steps(whole, 20)
        const first = yield* Trainer.make(yield* network(), optimizer)
        const before = yield* steps(first, 10)
        const taken = yield* Checkpoint.take(first, position)
        const there = Safetensors.encode(
          CheckpointArchive.encode(taken).tensors,
          CheckpointArchive.encode(taken).metadata
        )
        const back = Result.getOrThrow(CheckpointArchive.decode(Result.getOrThrow(Safetensors.decode(there))))
        expect(back).toEqual(taken)
        // other weights, which the checkpoint replaces
        const second = yield* Trainer.make(yield* network(77), optimizer)
        yield* steps(second, 2)
        yield* Checkpoint.restore(second, way === "file" ? back : taken)
        expect(bits(second)).toEqual(bits(first))
        const after = yield* steps(second, 10)
        expect([...before, ...after]).toEqual(losses)
        expect(bits(second)).toEqual(bits(whole))
      })
    )
  )
  it("would have others without the optimiser's state or the quantizers' memory", () =>
    run(
      Effect.gen(function* () {
        const whole = yield* Trainer.make(yield* network(), optimizer)
        const first = yield* Trainer.make(yield* network(), optimizer)
        yield* steps(whole, 12)
        yield* steps(first, 5)
        const taken = yield* Checkpoint.take(first, position)
        const fresh = yield* Checkpoint.take(yield* Trainer.make(yield* network(), optimizer), position)
        const forgetful = [
          { ...taken, memory: fresh.memory },
          { ...taken, optimizer: { ...taken.optimizer, slots: {} } },
          { ...taken, parameters: fresh.parameters }
        ]
        for (const other of forgetful) {
          const second = yield* Trainer.make(yield* network(), optimizer)
          yield* Checkpoint.restore(second, other)
          yield* steps(second, 7)
          expect(bits(second)).not.toEqual(bits(whole))
        }
      })
    ))
})

describe("quantizers of every kind", () => {
  const changed = (name: string, attributes: Injector.Attributes): Injector.Any =>
    Injector.merge(Catalogue.entries[name] as Injector.Any, Injector.make(attributes) as Injector.Any)
  const weights: ReadonlyArray<readonly [name: string, attributes: Injector.Attributes]> = [
    ["Int8WeightPerTensorFloat", { scalingImplType: "parameterFromStats" }],
    ["Int8WeightPerTensorFloat", { bitWidthImplType: "parameter", quantDelaySteps: 3 }],
    ["Int8WeightPerTensorFloat", { scalingImplType: "affineStats" }],
    ["Int8WeightNormL2PerChannelFixedPoint", {}],
    ["Int8WeightPerChannelFloatDecoupled", {}],
    ["ShiftedUint8WeightPerTensorFloat", {}],
    ["SignedBinaryWeightPerTensorConst", {}],
    ["Fp8e4m3OCPWeightPerTensorFloat", {}]
  ]
  const activations: ReadonlyArray<readonly [name: string, attributes: Injector.Attributes]> = [
    ["Int8ActPerTensorFloat", { collectStatsSteps: 3 }],
    ["Int8ActPerTensorFloat", { collectStatsSteps: 3, scalingStatsMomentum: undefined, quantDelaySteps: 3 }],
    ["Int8ActPerTensorFloat", { scalingImplType: "stats" }],
    ["ShiftedUint8ActPerTensorFloat", { collectStatsSteps: 3 }],
    ["Uint8ActPerTensorFixedPoint", { collectStatsSteps: 3 }],
    ["SignedTernaryActPerTensorConst", {}]
  ]
  const resumes = (make: Effect.Effect<Layer.Layer, unknown, Scope.Scope>) =>
    run(
      Effect.gen(function* () {
        const optimizer = Optimizer.adam(0.01)
        const whole = yield* Trainer.make(yield* make, optimizer)
        yield* steps(whole, 5)
        const first = yield* Trainer.make(yield* make, optimizer)
        yield* steps(first, 2)
        const second = yield* Trainer.make(yield* make, optimizer)
        yield* Checkpoint.restore(second, yield* Checkpoint.take(first, position))
        yield* steps(second, 3)
        expect(bits(second)).toEqual(bits(whole))
      })
    )
  it.each(weights)("resumes with the weight quantizer %s %o", (name, attributes) => {
    const weightQuant = changed(name, attributes) as never
    return resumes(Linear.quantLinear({ inFeatures: 4, outFeatures: 8, inputQuant: runtime, weightQuant }))
  })
  it.each(activations)("resumes with the activation quantizer %s %o", (name, attributes) =>
    resumes(
      Effect.gen(function* () {
        const fc = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 8, seed: 1 })
        const act = yield* Activation.quantIdentity({ actQuant: changed(name, attributes) as never })
        return Model.sequential({ fc, act })
      })
    )
  )
})

describe("a checkpoint that does not fit", () => {
  type Change = (checkpoint: Checkpoint.Checkpoint) => Checkpoint.Checkpoint
  const optimizer = optimizers.adam
  const stored = (checkpoint: Checkpoint.Checkpoint, name: string) => checkpoint.parameters[name] as Stored.Stored
  const without = <A>(record: Readonly<Record<string, A>>, gone: string) =>
    Object.fromEntries(Object.entries(record).filter(([name]) => name !== gone))
  const changes: Readonly<Record<string, readonly [Change, string]>> = {
    "lacks a parameter": [
      (c) => ({ ...c, parameters: without(c.parameters, "fc1.bias") }),
      'parameters lack "fc1.bias"'
    ],
    "has a parameter more": [
      (c) => ({ ...c, parameters: { ...c.parameters, "fc1.biass": stored(c, "fc1.bias") } }),
      'parameters have "fc1.biass", which the model has not (near "fc1.bias")'
    ],
    "has a parameter of another shape": [
      (c) => ({ ...c, parameters: { ...c.parameters, "fc1.bias": stored(c, "fc1.weight") } }),
      'parameters have "fc1.bias" with the shape [4, 8]; it has [8] in the model'
    ],
    "has a parameter of another type": [
      (c) => ({ ...c, parameters: { ...c.parameters, "fc1.bias": { ...stored(c, "fc1.bias"), dtype: "I32" } } }),
      "as I32; it is float32 in the model"
    ],
    "has too few bytes": [
      (c) => {
        const bias = stored(c, "fc1.bias")
        return { ...c, parameters: { ...c.parameters, "fc1.bias": { ...bias, data: bias.data.slice(4) } } }
      },
      "with 28 bytes for [8]"
    ],
    "lacks something remembered": [
      (c) => ({ ...c, memory: without(c.memory, Object.keys(c.memory)[0] as string) }),
      "memory lack"
    ],
    "has a number for a tensor": [
      (c) => ({ ...c, memory: Object.fromEntries(Object.keys(c.memory).map((name) => [name, 1])) }),
      "as a number"
    ],
    "is of another optimiser": [
      (c) => ({ ...c, optimizer: { ...c.optimizer, kind: "sgd" } }),
      "optimiser is sgd; this training has adam"
    ],
    "has a slot of an unknown parameter": [
      (c) => ({ ...c, optimizer: { ...c.optimizer, slots: { x: { steps: 1, tensors: {} } } } }),
      'slots of the optimiser have "x"'
    ],
    "has a slot of another shape": [
      (c) => {
        const slot = { steps: 1, tensors: { mean: stored(c, "fc1.weight") } }
        return { ...c, optimizer: { ...c.optimizer, slots: { "fc1.bias": slot } } }
      },
      'have "mean of fc1.bias" with the shape [4, 8]'
    ]
  }
  it.each(Object.entries(changes))("%s: nothing is restored", (_, [change, message]) =>
    run(
      Effect.gen(function* () {
        const trainer = yield* Trainer.make(yield* network(), optimizer)
        yield* steps(trainer, 2)
        const taken = yield* Checkpoint.take(trainer, position)
        yield* steps(trainer, 1)
        const before = bits(trainer)
        const error = yield* Effect.flip(Checkpoint.restore(trainer, change(taken)))
        expect(error).toBeInstanceOf(InvalidCheckpoint)
        expect(error.message).toContain(message)
        expect(bits(trainer)).toEqual(before)
        yield* Checkpoint.restore(trainer, taken)
        expect(bits(trainer)).not.toEqual(before)
      })
    )
  )
  it("is refused by a model of other sizes", () =>
    run(
      Effect.gen(function* () {
        const taken = yield* Checkpoint.take(yield* Trainer.make(yield* network(), optimizer), position)
        const other = yield* Trainer.make(yield* network(3, 2), optimizer)
        const error = yield* Effect.flip(Checkpoint.restore(other, taken))
        expect(error.message).toContain('"fc2.weight" with the shape [8, 1]; it has [8, 2]')
      })
    ))
})

describe("an archive that is no checkpoint", () => {
  const archive = Effect.gen(function* () {
    const trainer = yield* Trainer.make(yield* network(), optimizers.adam)
    yield* steps(trainer, 2)
    return CheckpointArchive.encode(yield* Checkpoint.take(trainer, position))
  })
  const edited = (edit: (text: any) => unknown) => (a: Stored.Archive) => ({
    ...a,
    metadata: { "breve.checkpoint": JSON.stringify(edit(JSON.parse(a.metadata["breve.checkpoint"] as string))) }
  })
  const edits: Readonly<Record<string, readonly [(a: Stored.Archive) => Stored.Archive, string]>> = {
    "has no text": [(a) => ({ ...a, metadata: {} }), "this is another kind of file"],
    "has a broken text": [(a) => ({ ...a, metadata: { "breve.checkpoint": "{" } }), "is not JSON"],
    "is of a later version": [edited((t) => ({ ...t, version: 2 })), "version is 2; only 1 is read"],
    "has no position": [edited((t) => ({ ...t, position: { ...t.position, batch: -1 } })), "position is not one"],
    "has other randomness": [edited((t) => ({ ...t, position: { ...t.position, random: [1, 2, 3] } })), "position"],
    "has a counter that is no number": [edited((t) => ({ ...t, memory: { a: "many" } })), "memory has something"],
    "has no optimiser": [edited(({ optimizer: _, ...t }) => t), "no kind or no count"],
    "has a broken count": [edited((t) => ({ ...t, optimizer: { ...t.optimizer, slots: { a: 0.5 } } })), "no counts"],
    "lacks a count": [edited((t) => ({ ...t, optimizer: { ...t.optimizer, slots: {} } })), "belongs to no parameter"],
    "lacks a tensor": [
      (a) => ({ ...a, tensors: Object.fromEntries(Object.entries(a.tensors).slice(1)) }),
      "tensors are"
    ]
  }
  it.each(Object.entries(edits))("%s", (_, [edit, message]) =>
    run(
      Effect.map(archive, (whole) => {
        expect(Result.isSuccess(CheckpointArchive.decode(whole))).toBe(true)
        const error = Result.getOrThrow(Result.flip(CheckpointArchive.decode(edit(whole))))
        expect(error.message).toContain(message)
      })
    )
  )
  it("is cut short at any byte of the file: a typed failure", () =>
    run(
      Effect.map(archive, ({ tensors, metadata }) => {
        const bytes = Safetensors.encode(tensors, metadata)
        for (let end = 0; end < bytes.length; end += 97)
          expect(Result.isFailure(Safetensors.decode(bytes.subarray(0, end)))).toBe(true)
      })
    ))
  it("keeps numbers that JSON has not", () =>
    run(
      Effect.gen(function* () {
        const trainer = yield* Trainer.make(yield* network(), optimizers.adam)
        const taken = yield* Checkpoint.take(trainer, { ...position, loss: 0.1 + 0.2 })
        const odd = { ...taken, memory: { a: Number.NaN, b: -0, c: Number.NEGATIVE_INFINITY, d: 2 ** 53 } }
        expect(Result.getOrThrow(CheckpointArchive.decode(CheckpointArchive.encode(odd)))).toEqual(odd)
      })
    ))
})
