/**
 * Recurrent layers, and the loading of float ones.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as PyTorch from "../../../../src/exchange/PyTorch.ts"
import * as Layer from "../../../../src/nn/Layer.ts"
import * as Recurrent from "../../../../src/nn/Recurrent.ts"
import * as State from "../../../../src/nn/State.ts"
import * as Cell from "../../../../src/proxy/Cell.ts"
import * as LeasedRef from "../../../../src/tensor/LeasedRef.ts"
import * as Stored from "../../../../src/tensor/Stored.ts"
import * as Tree from "../../../../src/tensor/Tree.ts"
import type { Case, Outcome } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import { type Difference, differences, outcomeOf } from "../quantizers/Compared.ts"
import { camelOf } from "../quantizers/Names.ts"
import * as Answer from "./Answer.ts"
import * as Layout from "./Layout.ts"
import { type Measuring, measured, outcome } from "./Measured.ts"
import { slotsOf } from "./Options.ts"

type Make = Effect.Effect<Layer.Layer<Recurrent.LstmInput, Layer.Values>, unknown, Scope.Scope>
type Outputs = Readonly<Record<string, Layer.Value>>

/** The slots by the prefixes of their options; those of a gate's sum are called otherwise in an RNN. */
const rnnSlots = { weight: "weight_", bias: "bias_", io: "io_", gateAcc: "gate_acc_quant_" }
const lstmSlots = {
  ...rnnSlots,
  gateAcc: "gate_acc_",
  sigmoid: "sigmoid_",
  tanh: "tanh_",
  cellState: "cell_state_"
}

/** The layer of a case, from the sizes and what else there is to say. */
export const layerOf = (testCase: Case, further: Readonly<Record<string, unknown>> = {}): Make => {
  const { layer, args = {}, return_quant_tensor: returnQuantTensor } = testCase.config
  const { bias = true, batch_first: batchFirst = false, ...rest } = args
  const lstm = layer === "QuantLSTM"
  const options: any = {
    ...Object.fromEntries(Object.entries(rest).map(([name, value]) => [camelOf(name), value])),
    hasBias: bias,
    batchFirst,
    ...(returnQuantTensor === true && { returnQuantTensor }),
    ...slotsOf(testCase, lstm ? lstmSlots : rnnSlots),
    ...further
  }
  return (lstm ? Recurrent.quantLstm(options) : Recurrent.quantRnn(options)) as Make
}

const written = (all: Readonly<Record<string, any>>): Readonly<Record<string, tf.Tensor>> =>
  Object.fromEntries(
    Object.entries(all).map(([name, one]) => [camelOf(name), Layout.ours(Layout.outputLast, tensorOf(one))])
  )

/** The first factors of the learned scales that the reference draws at random, because a name has "gate" in it; ours are 1. */
const randomFactors = ({ config, outputs }: Case): ReadonlyMap<string, number> => {
  const state = outputs.quantizer_state as Readonly<Record<string, any>>
  return new Map(
    Object.keys(state).flatMap((name) => {
      const at = /^(.*\bgate_acc_quant\..*)\.value$/.exec(name)?.[1]
      if (at === undefined || state[`${at}.counter`] === undefined) return []
      const [value, collected, counter] = [state[name].data[0], state[`${at}.buffer`].data[0], state[`${at}.counter`]]
      return [
        [
          Answer.nameOf(name),
          counter > config.kwargs.gate_acc_quant_collect_stats_steps ? value / collected : value
        ] as const
      ]
    })
  )
}

const begin =
  (factors: ReadonlyMap<string, number>) =>
  (layer: Layer.Stateful): void => {
    for (const [prefix, cell] of layer.cells) {
      const { parameters, memory } = LeasedRef.current(cell)
      const factorOf = (path: string): number | undefined => factors.get(`${prefix}.${path}`)
      if (!Tree.leaves(parameters).some(([path]) => factorOf(path) !== undefined)) continue
      const drawn = Tree.map(parameters, (tensor, path) => {
        const factor = factorOf(path)
        return factor === undefined ? tensor : tf.mul(tensor, factor)
      })
      Cell.commit(cell, { parameters: drawn, memory })
    }
  }

/** What the forward direction answers, of which only the scales have to do with the weights of the other one. */
const forwardHalf = (all: tf.Tensor): tf.Tensor => tf.slice(all, [0, 0, 0], [-1, -1, (all.shape[2] as number) / 2])

/**
 * The parameters with the hidden weights of the input and the forget gate of the backward direction exchanged. Where directions share
 * weights, the reference exchanges these gates, and with them whose scales they share.
 */
const exchanged = <A>(params: Readonly<Record<string, A>>): Readonly<Record<string, A>> => {
  const other: Readonly<Record<string, string>> = { input: "forget", forget: "input" }
  const from = (name: string): string =>
    name.replace(/^(layers\.\d+\.1\.)(input|forget)(_gate_params\.hidden_weight\b)/, (_, start, gate, end) =>
      [start, other[gate], end].join("")
    )
  return Object.fromEntries(Object.keys(params).map((name) => [name, params[from(name)] as A]))
}

const measuringOf = (testCase: Case): Measuring<Recurrent.LstmInput> => {
  const { config, inputs, outputs } = testCase
  const x = tensorOf(inputs.x)
  return {
    layer: layerOf(testCase),
    parameters: written(inputs.params),
    calib: inputs.calib.map((one: any) => tensorOf(one)),
    x,
    training: config.mode === "train",
    variables: { x },
    withVariables: (now) => now.x as tf.Tensor,
    begin: begin(config.layer === "QuantRNN" ? randomFactors(testCase) : new Map()),
    losses: (y) => [[QuantTensor.dequantized((y as Outputs).output as Layer.Value), tensorOf(inputs.upstream)]],
    layouts: Object.fromEntries(Object.keys(inputs.params).map((name) => [name, Layout.outputLast])),
    expected: (y) => {
      const { output, hidden, cell } = y as Outputs
      return Object.entries({ out: output, hidden, cell }).flatMap(([name, answer]) =>
        answer === undefined ? [] : [[name, outputs[name], Answer.answerOf(answer, Layout.asItIs)] as const]
      )
    }
  }
}

/** Whether the forward direction of a layer whose directions share weights answers as expected. */
const forwardOf = (testCase: Case): Effect.Effect<Outcome, unknown, Scope.Scope> => {
  const { inputs, outputs } = testCase
  const bare: Case = { ...testCase, inputs: { ...inputs, params: exchanged(inputs.params) }, grads: {} }
  const wanted = forwardHalf(tensorOf(outputs.out.value))
  const half = { shape: wanted.shape, data: Array.from(wanted.dataSync()) }
  return measured(
    { ...bare, outputs: {} },
    {
      ...measuringOf(bare),
      expected: (y) => [
        ["forward.value", half, forwardHalf(QuantTensor.dequantized((y as Outputs).output as Layer.Value))]
      ]
    }
  )
}

export const replay = (testCase: Case): Promise<Outcome> =>
  outcome(
    testCase,
    Effect.gen(function* () {
      const whole = yield* measured(testCase, measuringOf(testCase))
      if (testCase.config.args.shared_input_hidden_weights !== true) return whole
      const forward = yield* forwardOf(testCase)
      return forward.kind === "passed" ? whole : forward
    })
  )

const unquantized = Object.fromEntries(Object.keys(lstmSlots).map((slot) => [`${slot}Quant`, null]))

/** Adopts a float layer, whose gates stand in one tensor and whose biases are two. */
export const replayLoad = (testCase: Case): Promise<Outcome> => {
  const { config, inputs, outputs } = testCase
  const { input_size: inputSize, hidden_size: hiddenSize } = config
  const run = Effect.gen(function* () {
    const layer = yield* layerOf(testCase, {
      inputSize,
      hiddenSize,
      ...(config.layer === "QuantRNN" ? rnnOff : unquantized)
    })
    const dict = Object.fromEntries(
      Object.entries(inputs.float_state_dict).map(([name, one]) => [name, Stored.fromTensor(tensorOf(one as any))])
    )
    const loaded = yield* PyTorch.load(layer, dict)
    const parameters = yield* State.parameters(layer)
    const found: Array<Difference> = [
      ...differences(outputs.missing_keys, loaded.missing, "missing_keys"),
      ...differences(outputs.unexpected_keys, loaded.unexpected, "unexpected_keys")
    ]
    for (const [name, wanted] of Object.entries(outputs.params)) {
      const got = parameters[camelOf(name)]
      found.push(...differences(wanted, got && Layout.theirs(Layout.outputLast, got), name))
    }
    const y = (yield* Layer.forward(layer, tensorOf(inputs.x))) as Outputs
    found.push(...differences(outputs.unquantized_out, y.output, "out.value"))
    found.push(...differences(outputs.float_out, y.output, "out.value"))
    tf.dispose([...Layer.tensorsIn(y)])
    return outcomeOf(testCase, found)
  })
  return outcome(testCase, run)
}

const rnnOff = Object.fromEntries(Object.keys(rnnSlots).map((slot) => [`${slot}Quant`, null]))
