import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as PyTorch from "../../src/exchange/PyTorch.ts"
import * as Frozen from "../../src/nn/Frozen.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Recurrent from "../../src/nn/Recurrent.ts"
import * as Select from "../../src/nn/Select.ts"
import * as State from "../../src/nn/State.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as LeasedRef from "../../src/tensor/LeasedRef.ts"
import * as Stored from "../../src/tensor/Stored.ts"
import * as Tree from "../../src/tensor/Tree.ts"
import * as Trainer from "../../src/train/Trainer.ts"
import * as Naive from "./NaiveSequence.ts"

const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })

const owned = <T extends tf.Tensor>(make: () => T): Effect.Effect<T, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (tensor) => Effect.sync(() => tensor.dispose()))
const numbers = (tensor: tf.Tensor): ReadonlyArray<number> => Array.from(tensor.dataSync())

/** Numbers that look random, of the size of 1. */
const noise = (shape: ReadonlyArray<number>, from = 0): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => Math.sin((i + from) * 12.9898) * 0.9),
    [...shape]
  )

/** The values of an answer as numbers; what is answered is disposed. */
const answered = <In, Out extends Layer.Values>(layer: Layer.Layer<In, Out>, x: In, mode?: Layer.Mode) =>
  Effect.map(Layer.forward(layer, x, mode), (y) => {
    const values = Object.fromEntries(
      Object.entries(y as Readonly<Record<string, Layer.Value>>).map(([name, value]) => [
        name,
        numbers(QuantTensor.dequantized(value))
      ])
    )
    tf.dispose([...Layer.tensorsIn(y)])
    return values
  })

const near = (actual: ReadonlyArray<number> | undefined, expected: ReadonlyArray<number>, digits = 5): void => {
  expect(actual?.length).toBe(expected.length)
  for (const [i, value] of expected.entries()) expect(actual?.[i]).toBeCloseTo(value, digits)
}

const rnnOff = { weightQuant: null, biasQuant: null, ioQuant: null, gateAccQuant: null } as const
const lstmOff = { ...rnnOff, sigmoidQuant: null, tanhQuant: null, cellStateQuant: null } as const

const matrix = (x: tf.Tensor | undefined): Naive.Matrix => (x as tf.Tensor2D).arraySync()
const sequencesOf = (x: tf.Tensor): Array<Naive.Matrix> => (x as tf.Tensor3D).arraySync()
const gateOf = (parameters: State.StateDict, name: string): Naive.Gate => ({
  input: matrix(parameters[`${name}.inputWeight.weight`]),
  hidden: matrix(parameters[`${name}.hiddenWeight.weight`]),
  bias: numbers(parameters[`${name}.bias`] as tf.Tensor)
})
const lstmGates = (parameters: State.StateDict, at: string) => ({
  input: gateOf(parameters, `${at}.inputGateParams`),
  ...(`${at}.forgetGateParams.bias` in parameters && { forget: gateOf(parameters, `${at}.forgetGateParams`) }),
  cell: gateOf(parameters, `${at}.cellGateParams`),
  output: gateOf(parameters, `${at}.outputGateParams`)
})
const zeros = (size: number): Naive.State => ({ hidden: Array(size).fill(0), cell: Array(size).fill(0) })
const sideBySide = (a: Naive.Matrix, b: Naive.Matrix): Naive.Matrix =>
  a.map((row, i) => [...row, ...(b[i] as Naive.Row)])

for (const [backend, started] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`recurrent layers on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, started, { local: true }))))

    scopedTest("two LSTMs in both directions are what a loop over numbers computes", () =>
      Effect.gen(function* () {
        const options = { inputSize: 3, hiddenSize: 2, numLayers: 2, bidirectional: true } as const
        const layer = yield* Recurrent.quantLstm({ ...options, ...lstmOff })
        const x = yield* owned(() => noise([2, 4, 3]))
        const y = yield* answered(layer, x)
        const parameters = yield* State.parameters(layer)
        const of = (sequence: Naive.Matrix) => {
          const lasts: Array<Naive.State> = []
          const through = (xs: Naive.Matrix, l: number): Naive.Matrix => {
            const [forward, backward] = [0, 1].map((d) =>
              Naive.passed(Naive.lstmStep(lstmGates(parameters, `layers.${l}.${d}`)), xs, zeros(2), d === 1)
            ) as [ReadonlyArray<Naive.State>, ReadonlyArray<Naive.State>]
            lasts.push(forward.at(-1) as Naive.State, backward[0] as Naive.State)
            return sideBySide(
              forward.map(({ hidden }) => hidden),
              backward.map(({ hidden }) => hidden)
            )
          }
          return { output: through(through(sequence, 0), 1), lasts }
        }
        const all = sequencesOf(x).map(of)
        near(
          y.output,
          all.flatMap(({ output }) => output.flat())
        )
        const states = (name: "hidden" | "cell") =>
          [0, 1, 2, 3].flatMap((i) => all.flatMap(({ lasts }) => lasts[i]?.[name] ?? []))
        near(y.hidden, states("hidden"))
        near(y.cell, states("cell"))
      })
    )

    scopedTest("coupled gates: the forget gate is what the input gate leaves", () =>
      Effect.gen(function* () {
        const layer = yield* Recurrent.quantLstm({
          inputSize: 3,
          hiddenSize: 2,
          coupledInputForgetGates: true,
          ...lstmOff
        })
        const x = yield* owned(() => noise([1, 5, 3]))
        const y = yield* answered(layer, x)
        const parameters = yield* State.parameters(layer)
        expect(Object.keys(parameters).some((name) => name.includes("forget"))).toBe(false)
        const [sequence] = sequencesOf(x) as [Naive.Matrix]
        const steps = Naive.passed(Naive.lstmStep(lstmGates(parameters, "layers.0.0")), sequence, zeros(2))
        near(
          y.output,
          steps.flatMap(({ hidden }) => hidden)
        )
      })
    )

    scopedTest("shared weights of the input are the same matrix in the same gate of both directions", () =>
      Effect.gen(function* () {
        const options = { inputSize: 3, hiddenSize: 2, bidirectional: true, sharedInputHiddenWeights: true } as const
        const layer = yield* Recurrent.quantLstm({ ...options, ...lstmOff })
        const x = yield* owned(() => noise([1, 3, 3]))
        const y = yield* answered(layer, x)
        const parameters = yield* State.parameters(layer)
        const name = (d: number) => `layers.0.${d}.forgetGateParams.inputWeight.weight`
        expect(parameters[name(1)]).toBe(parameters[name(0)])
        const [sequence] = sequencesOf(x) as [Naive.Matrix]
        const [forward, backward] = [0, 1].map((d) =>
          Naive.passed(Naive.lstmStep(lstmGates(parameters, `layers.0.${d}`)), sequence, zeros(2), d === 1).map(
            ({ hidden }) => hidden
          )
        ) as unknown as [Naive.Matrix, Naive.Matrix]
        near(y.output, sideBySide(forward, backward).flat())
      })
    )

    scopedTest(
      "a quantized RNN with steps of 1/128: the loop with every quantizer, either layout, states to begin with",
      () =>
        Effect.gen(function* () {
          const known = {
            ioQuant: ScaledInt.Int8ActPerTensorFloatMinMaxInit,
            io: { minVal: -1, maxVal: 1 },
            gateAccQuant: ScaledInt.Int8ActPerTensorFloatMinMaxInit,
            gateAcc: { minVal: -4, maxVal: 4 },
            weightQuant: null,
            biasQuant: null
          } as const
          const x = yield* owned(() => noise([2, 4, 3]))
          const turned = yield* owned(() => tf.transpose(x, [1, 0, 2]))
          const hidden = yield* owned(() => tf.tidy(() => tf.mul(noise([1, 2, 2], 7), 0.7)))
          const sizes = { inputSize: 3, hiddenSize: 2, nonlinearity: "relu" } as const
          const layer = yield* Recurrent.quantRnn({ ...sizes, ...known })
          const y = yield* answered(layer, { input: x, hidden })
          const [io, acc] = [Naive.stepped(1 / 128), Naive.stepped(4 / 128)]
          const gate = gateOf(yield* State.parameters(layer), "layers.0.0.gateParams")
          const first = sequencesOf(hidden) as [Naive.Matrix]
          const expected = sequencesOf(x).map((sequence, n) =>
            Naive.passed(
              Naive.rnnStep(gate, (s) => Math.max(s, 0), io, acc),
              sequence,
              {
                hidden: (first[0][n] as Naive.Row).map(io),
                cell: []
              }
            ).map((state) => state.hidden)
          )
          near(y.output, expected.flat(2))
          near(
            y.hidden,
            expected.flatMap((states) => states.at(-1) ?? [])
          )
          const steps = yield* Recurrent.quantRnn({ ...sizes, ...known, batchFirst: false })
          const other = yield* answered(steps, { input: turned, hidden })
          near(
            other.output,
            [0, 1, 2, 3].flatMap((t) => expected.flatMap((states) => states[t] ?? []))
          )
          expect(other.hidden).toEqual(y.hidden)
        })
    )

    scopedTest("a quantizer that has collected enough in the middle of a sequence learns from then on", () =>
      Effect.gen(function* () {
        const collecting = { collectStatsSteps: 2 } as const
        const layer = yield* Recurrent.quantRnn({
          inputSize: 3,
          hiddenSize: 2,
          io: { collectStatsSteps: 50 },
          gateAcc: collecting
        })
        const x = yield* owned(() => noise([1, 5, 3]))
        yield* answered(layer, x, Layer.training)
        const cell = new Map(layer.proxies).get("layers.0.0.cell.gateAccQuant")?.cell
        const { parameters, memory } = LeasedRef.current(cell as NonNullable<typeof cell>)
        const leaves = new Map([...Tree.leaves(memory), ...Tree.leaves(parameters)])
        expect(leaves.get("scalingImpl.counter")).toBe(3)
        const [value, buffer] = ["value", "buffer"].map(
          (name) => numbers(leaves.get(`scalingImpl.${name}`) as tf.Tensor)[0]
        )
        expect(value).toBe(buffer)
        expect(value).not.toBe(1)
      })
    )

    scopedTest("a step of training takes the gradient of a scale that was made in its midst", () =>
      Effect.gen(function* () {
        const make = (collectStatsSteps: number) =>
          Recurrent.quantRnn({ inputSize: 3, hiddenSize: 2, io: { collectStatsSteps }, gateAccQuant: null })
        const x = yield* owned(() => noise([1, 6, 3]))
        const scaleAfter = (collectStatsSteps: number, rate: number) =>
          Effect.gen(function* () {
            const model = Select.answer(yield* make(collectStatsSteps), "output")
            const trainer = yield* Trainer.make(model, Optimizer.sgd(rate))
            yield* Trainer.step(trainer, x, (y) => tf.sum(tf.square(y)))
            const value = Trainer.parameters(trainer)["layers.0.0.ioQuant.scalingImpl.value"]
            return numbers(value as tf.Tensor)[0] as number
          })
        // with rate 0 it is what was collected; with another it has moved on from there
        const begun = yield* scaleAfter(2, 0)
        expect(begun).not.toBe(1)
        const moved = yield* scaleAfter(2, 0.001)
        expect(moved).not.toBe(begun)
        expect(Math.abs(moved - begun)).toBeLessThan(0.1)
        // one that only collects does not move
        expect(yield* scaleAfter(100, 0.001)).toBe(1)
      })
    )

    scopedTest("a step reaches every parameter of two layers in both directions", () =>
      Effect.gen(function* () {
        const options = {
          inputSize: 2,
          hiddenSize: 2,
          numLayers: 2,
          bidirectional: true,
          returnQuantTensor: true
        } as const
        const model = Select.answer(yield* Recurrent.quantRnn({ ...options, io: { collectStatsSteps: 4 } }), "output")
        const trainer = yield* Trainer.make(model, Optimizer.sgd(0.1))
        const x = yield* owned(() => noise([2, 3, 2]))
        const before = Object.fromEntries(
          Object.entries(Trainer.parameters(trainer)).map(([name, tensor]) => [name, numbers(tensor)])
        )
        for (let i = 0; i < 2; i++) yield* Trainer.step(trainer, x, (y) => tf.mean(tf.square(tf.sub(y, 0.5))))
        // the sums of the gates still collect
        for (const [name, tensor] of Object.entries(Trainer.parameters(trainer)))
          if (!name.includes("gateAccQuant")) expect([name, numbers(tensor)]).not.toEqual([name, before[name]])
      })
    )

    scopedTest("training lowers the loss, and gives the same bits again", () =>
      Effect.gen(function* () {
        const run = Effect.scoped(
          Effect.gen(function* () {
            const collected = { collectStatsSteps: 8 } as const
            const lstm = yield* Recurrent.quantLstm({
              inputSize: 2,
              hiddenSize: 6,
              io: collected,
              gateAcc: collected,
              sigmoid: collected,
              tanh: collected,
              cellState: collected
            })
            const out = yield* Linear.quantLinear({ inFeatures: 6, outFeatures: 1 })
            const model = Model.functional({ lstm, out }, (layer, x: Layer.Value) => layer.out(layer.lstm(x).output))
            const trainer = yield* Trainer.make(model, Optimizer.adam(0.05))
            const x = yield* owned(() => noise([4, 3, 2]))
            const target = yield* owned(() => tf.tidy(() => tf.cumsum(tf.sum(x, 2, true), 1)))
            const losses: Array<number> = []
            for (let i = 0; i < 12; i++)
              losses.push(yield* Trainer.step(trainer, x, (y) => tf.mean(tf.square(tf.sub(y, target)))))
            return losses
          })
        )
        const losses = yield* run
        expect(losses.at(-1)).toBeLessThan((losses[0] as number) / 2)
        expect(yield* run).toEqual(losses)
      })
    )

    scopedTest("quant tensors: one scale for all steps, valid integers", () =>
      Effect.gen(function* () {
        const options = {
          inputSize: 3,
          hiddenSize: 2,
          numLayers: 2,
          bidirectional: true,
          returnQuantTensor: true
        } as const
        const layer = yield* Recurrent.quantLstm(options)
        const x = yield* owned(() => noise([2, 3, 3]))
        yield* answered(layer, x, Layer.training)
        const y = yield* Layer.forward(layer, x)
        for (const [value, shape] of [
          [y.output, [2, 3, 4]],
          [y.hidden, [4, 2, 2]],
          [y.cell, [4, 2, 2]]
        ] as const) {
          if (!QuantTensor.isQuantTensor(value)) throw new Error("plain")
          expect(value.value.shape).toEqual(shape)
          expect(value.scale.size).toBe(1)
          expect(QuantTensor.isValid(value)).toBe(true)
        }
        tf.dispose([...Layer.tensorsIn(y)])
      })
    )

    scopedTest("frozen it answers the same bits; without quantization it is the float layer", () =>
      Effect.gen(function* () {
        const layer = yield* Recurrent.quantLstm({ inputSize: 3, hiddenSize: 2, bidirectional: true, seed: 5 })
        const float = yield* Recurrent.quantLstm({
          inputSize: 3,
          hiddenSize: 2,
          bidirectional: true,
          seed: 5,
          ...lstmOff
        })
        const x = yield* owned(() => noise([2, 3, 3]))
        yield* answered(layer, x, Layer.training)
        const now = yield* answered(layer, x)
        const frozen = yield* Frozen.make(layer)
        expect(yield* answered(frozen, x)).toEqual(now)
        expect(yield* answered(frozen, x)).toEqual(now)
        const plain = yield* answered(layer, x, Layer.without(Layer.evaluation))
        expect(plain).toEqual(yield* answered(float, x))
        expect(plain).not.toEqual(now)
      })
    )

    scopedTest("NaN runs through to all that comes after it, and to nothing before", () =>
      Effect.gen(function* () {
        const layer = yield* Recurrent.quantLstm({ inputSize: 2, hiddenSize: 2, ...lstmOff })
        const x = yield* owned(() => tf.tensor3d([1, 2, Number.NaN, 1, 0, 1], [1, 3, 2]))
        const { output } = yield* answered(layer, x)
        expect(output?.map(Number.isNaN)).toEqual([false, false, true, true, true, true])
      })
    )

    scopedTest("its state under Brevitas's names: what is taken out and loaded answers the same bits", () =>
      Effect.gen(function* () {
        const options = { inputSize: 3, hiddenSize: 2, bidirectional: true } as const
        const collected = { io: { collectStatsSteps: 3 }, cellState: { collectStatsSteps: 3 } } as const
        const from = yield* Recurrent.quantLstm({ ...options, ...collected, seed: 1 })
        const to = yield* Recurrent.quantLstm({ ...options, ...collected, seed: 2 })
        const x = yield* owned(() => noise([2, 3, 3]))
        yield* answered(from, x, Layer.training)
        const dict = yield* PyTorch.toStateDict(from)
        expect(dict["layers.0.1.forget_gate_params.hidden_weight.weight"]?.shape).toEqual([2, 2])
        const scale = "fused_activation_quant_proxy.tensor_quant.scaling_impl.value"
        for (const name of ["io_quant", "cell.output_quant", "cell.cell_state_quant", "cell.input_sigmoid_quant"])
          expect(Object.keys(dict)).toContain(`layers.0.0.${name}.${scale}`)
        const { missing, unexpected } = yield* PyTorch.load(to, dict, "report")
        expect([missing, unexpected]).toEqual([[], []])
        expect(yield* answered(to, x)).toEqual(yield* answered(from, x))
      })
    )

    scopedTest("adopts PyTorch's float LSTM: gates in one tensor, two biases", () =>
      Effect.gen(function* () {
        const rnn = yield* Recurrent.quantLstm({ inputSize: 3, hiddenSize: 2, numLayers: 2, bidirectional: true })
        const model = {
          ...rnn,
          cells: rnn.cells.map(([name, cell]) => [`rnn.${name}`, cell] as const),
          proxies: rnn.proxies.map(([name, proxy]) => [`rnn.${name}`, proxy] as const)
        }
        const names = ["l0", "l0_reverse", "l1", "l1_reverse"]
        const dict = Object.fromEntries(
          names.flatMap((name, i) => {
            const input = i < 2 ? 3 : 4
            const of = (key: string, shape: ReadonlyArray<number>, from: number) => {
              const made = noise(shape, from + 100 * i)
              const stored = Stored.fromTensor(made)
              made.dispose()
              return [`rnn.${key}_${name}`, stored] as const
            }
            return [
              of("weight_ih", [8, input], 0),
              of("weight_hh", [8, 2], 30),
              of("bias_ih", [8], 50),
              of("bias_hh", [8], 70)
            ]
          })
        )
        const { missing, unexpected } = yield* PyTorch.load(model, dict)
        expect(unexpected).toEqual([])
        expect(missing.filter((name) => !name.includes("uant"))).toEqual([])
        const parameters = yield* State.parameters(model)
        const at = "rnn.layers.1.1.cellGateParams"
        const theirs = Stored.floats(dict["rnn.weight_ih_l1_reverse"] as Stored.Stored)
        // the third gate's rows, transposed
        const weight = parameters[`${at}.inputWeight.weight`] as tf.Tensor
        expect(weight.shape).toEqual([4, 2])
        expect(numbers(weight)).toEqual([0, 1, 2, 3].flatMap((i) => [theirs[(4 + 0) * 4 + i], theirs[(4 + 1) * 4 + i]]))
        const [ih, hh] = ["ih", "hh"].map((key) => Stored.floats(dict[`rnn.bias_${key}_l1_reverse`] as Stored.Stored))
        near(
          numbers(parameters[`${at}.bias`] as tf.Tensor),
          [4, 5].map((i) => (ih?.[i] as number) + (hh?.[i] as number))
        )
      })
    )

    scopedTest("options that cannot be are refused, with their names", () =>
      Effect.gen(function* () {
        const refused = (effect: Effect.Effect<unknown, unknown, Scope.Scope>) =>
          Effect.map(Effect.flip(effect), (error) => String((error as Error).message))
        const size = { inputSize: 3, hiddenSize: 2 }
        expect(yield* refused(Recurrent.quantRnn({ ...size, hiddenSize: 0 }))).toMatch(/QuantRNN.*"hiddenSize"/)
        expect(yield* refused(Recurrent.quantLstm({ ...size, numLayers: 1.5 }))).toMatch(/"numLayers".*1\.5/)
        expect(yield* refused(Recurrent.quantLstm({ ...size, sharedInputHiddenWeights: true }))).toMatch(
          /bidirectional: true/
        )
        expect(yield* refused(Recurrent.quantRnn({ ...size, ioQuant: null, returnQuantTensor: true }))).toMatch(
          /give ioQuant/
        )
        const several = { ...size, numLayers: 2, sharedCellStateQuant: false, returnQuantTensor: true }
        expect(yield* refused(Recurrent.quantLstm(several))).toMatch(/"sharedCellStateQuant"/)
      })
    )

    scopedTest("inputs that do not fit are refused, with their shapes", () =>
      Effect.gen(function* () {
        const layer = yield* Recurrent.quantLstm({ inputSize: 3, hiddenSize: 2 })
        const tensor = (...shape: ReadonlyArray<number>) => owned(() => tf.zeros([...shape]))
        const refused = (x: Recurrent.LstmInput) =>
          Effect.map(Effect.flip(Layer.forward(layer, x)), (error) => [error._tag, error.message] as const)
        for (const shape of [
          [2, 4],
          [2, 4, 5],
          [2, 0, 3]
        ]) {
          const [tag, message] = yield* refused(yield* tensor(...shape))
          expect(tag).toBe("ShapeMismatch")
          expect(message).toContain(
            `QuantLSTM: expected shape [n, steps, 3] with a step at least, got [${shape.join(", ")}]`
          )
        }
        const input = yield* tensor(2, 4, 3)
        const [tag, message] = yield* refused({ input, cell: yield* tensor(2, 2) })
        expect([tag, message]).toEqual([
          "ShapeMismatch",
          "the cell state of QuantLSTM: expected shape [1, 2, 2], got [2, 2]"
        ])
        // a bias on the scale of products that have none
        const scaleless = yield* Recurrent.quantRnn({ inputSize: 3, hiddenSize: 2, ioQuant: null })
        const error = yield* Effect.flip(Layer.forward(scaleless, input))
        expect(error._tag).toBe("MissingInput")
        expect(error.message).toMatch(/layers\.0\.0\.gateParams.*scale/)
      })
    )

    scopedTest("options are checked by the compiler", () =>
      Effect.gen(function* () {
        const size = { inputSize: 3, hiddenSize: 2 }
        const int8 = ScaledInt.Int8WeightPerTensorFloat
        yield* Recurrent.quantLstm({ ...size, weightQuant: int8, weight: { bitWidth: 4, scalingPerOutput: "channel" } })
        const never = () => {
          // @ts-expect-error misspelt
          Recurrent.quantLstm({ ...size, weightQuant: int8, weight: { bitWitdh: 4 } })
          // @ts-expect-error a width is a number
          Recurrent.quantRnn({ ...size, ioQuant: ScaledInt.Int8ActPerTensorFloat, io: { bitWidth: "4" } })
          // @ts-expect-error an RNN has no cell state
          Recurrent.quantRnn({ ...size, cellStateQuant: null })
          // @ts-expect-error no such function
          Recurrent.quantRnn({ ...size, nonlinearity: "gelu" })
        }
        expect(never).toBeTypeOf("function")
      })
    )
  })
