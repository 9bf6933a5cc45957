/**
 * Quantized recurrent layers: RNN and LSTM, stacked, in one or both directions.
 *
 * Their names are those of Brevitas in camel case: `layers.<layer>.<0 forward, 1 backward>.<gate>GateParams.inputWeight.weight`,
 * weights `[in, hidden]`. PyTorch's `weight_ih_l0` and so on load as well.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `op`, `proxy`, `quant`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Relu from "../op/Relu.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Random from "../tensor/Random.ts"
import type * as Layer from "./Layer.ts"
import * as RecurrentCell from "./RecurrentCell.ts"
import * as RecurrentStack from "./RecurrentStack.ts"
import * as Slots from "./Slots.ts"
import * as Thread from "./Thread.ts"

// ---- model --------------------------------------------------------------------------------------------------

export interface Options {
  readonly inputSize: number
  readonly hiddenSize: number
  /** layers one upon the other; default: 1 */
  readonly numLayers?: number
  /** a second pass from the end to the beginning, whose outputs stand beside those of the first; default: false */
  readonly bidirectional?: boolean
  /** sequences as `[n, steps, features]`; else `[steps, n, features]`; default: true */
  readonly batchFirst?: boolean
  /** default: true */
  readonly hasBias?: boolean
  /** both directions multiply the input with the same weights; default: false */
  readonly sharedInputHiddenWeights?: boolean
  /** answer with scale, zero-point and width; default: the plain values */
  readonly returnQuantTensor?: boolean
  /** seeds the initial weights and biases, uniform within `1 / sqrt(hiddenSize)`; default: 0 */
  readonly seed?: number
}

export interface RnnOptions extends Options {
  /** default: "tanh" */
  readonly nonlinearity?: "tanh" | "relu"
}

export interface LstmOptions extends Options {
  /** the forget gate is `1 - input gate` and has no parameters; default: false */
  readonly coupledInputForgetGates?: boolean
  /** the weights of all gates of a direction have one quantizer; default: false */
  readonly sharedIntraLayerWeightQuant?: boolean
  /** the sums of all gates of a direction have one quantizer; default: false */
  readonly sharedIntraLayerGateAccQuant?: boolean
  /** the cell states of all layers and directions have one quantizer; default: true */
  readonly sharedCellStateQuant?: boolean
}

/** A sequence alone, or with the states to begin with, `[layers * directions, n, hidden]`. */
export type RnnInput = Layer.Value | { readonly input: Layer.Value; readonly hidden?: Layer.Value }
/** A sequence alone, or with the hidden and cell states to begin with. */
export type LstmInput = RnnInput | RecurrentStack.Given

/** `output` has the hidden states of the last layer at every step, `hidden` those of every layer and direction after the last. */
export type RnnOutput = { readonly output: Layer.Value; readonly hidden: Layer.Value }
/** The same, and `cell` has the cell states of every layer and direction after the last step. */
export type LstmOutput = RnnOutput & { readonly cell: Layer.Value }

/** A recurrent layer. */
export interface Recurrent<In, Out extends Layer.Values> extends Layer.Layer<In, Out> {
  readonly ioQuant: QuantProxy | undefined
}

// ---- constructors -------------------------------------------------------------------------------------------

const formless = "it quantizes within every step, and no operator of a file does; export what comes before and after it"

type Problem = readonly [option: string, reason: string]

const wrongIn = (options: Options & Slots.Given<"io">): Problem | undefined => {
  for (const name of ["inputSize", "hiddenSize", "numLayers"] as const) {
    const size = options[name] ?? 1
    if (!(Number.isInteger(size) && size > 0)) return [name, `must be a whole number above 0; it is ${size}`]
  }
  if (options.sharedInputHiddenWeights === true && options.bidirectional !== true)
    return ["sharedInputHiddenWeights", "shares weights between two directions; give bidirectional: true"]
  if (options.returnQuantTensor === true && options.ioQuant === null)
    return ["returnQuantTensor", "needs a quantizer of the hidden states; give ioQuant"]
  return undefined
}

const refused = (kind: string, [option, reason]: Problem): InvalidOptions =>
  new InvalidOptions({ what: kind, option, reason })

interface Architecture {
  readonly kind: string
  readonly hasCell: boolean
  readonly sharedCellStateQuant: boolean
  readonly direction: (site: RecurrentCell.Site) => ReturnType<typeof RecurrentCell.lstm>
}

const make = (
  architecture: Architecture,
  options: Options & Slots.Given<"io">
): Effect.Effect<Recurrent<LstmInput, LstmOutput>, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const { kind, hasCell } = architecture
    const wrong = wrongIn(options)
    if (wrong !== undefined) return yield* refused(kind, wrong)
    const { inputSize, hiddenSize, numLayers = 1, hasBias = true, batchFirst = true } = options
    const bare = yield* Slots.bareModule(kind)
    const ioQuant = yield* Slots.proxyFor(options, "io", "activation", ScaledInt.Int8ActPerTensorFloat, bare)
    const directions = options.bidirectional === true ? 2 : 1
    const random = Random.make(options.seed ?? 0)
    const layers: Array<Array<RecurrentCell.Direction>> = []
    for (let l = 0; l < numLayers; l++) {
      const here: Array<RecurrentCell.Direction> = []
      layers.push(here)
      for (let d = 0; d < directions; d++)
        here.push(
          yield* architecture.direction({
            kind,
            name: `layers.${l}.${d}`,
            suffix: d === 0 ? `l${l}` : `l${l}_reverse`,
            inputSize: l === 0 ? inputSize : hiddenSize * directions,
            hiddenSize,
            random,
            hasBias,
            ioQuant,
            shared: options.sharedInputHiddenWeights === true ? here[0] : undefined,
            cellStateQuant: architecture.sharedCellStateQuant ? layers[0]?.[0]?.cellStateQuant : undefined
          })
        )
    }
    const returnQuantTensor = options.returnQuantTensor === true
    const stack = { kind, layers, inputSize, hiddenSize, batchFirst, returnQuantTensor, ioQuant, hasCell }
    const apply: Layer.Layer<LstmInput, LstmOutput>["apply"] = (states, x, mode) => {
      const thread = Thread.make(states, mode)
      const given = x instanceof tf.Tensor || QuantTensor.isQuantTensor(x) ? { input: x } : x
      const { output, hidden, cell } = RecurrentStack.apply(stack, thread, given)
      const answer = cell === undefined ? { output, hidden } : { output, hidden, cell }
      return [answer as LstmOutput, thread.states]
    }
    const all = layers.flat()
    return {
      kind,
      formless,
      ioQuant,
      cells: all.flatMap(({ cells }) => cells),
      proxies: all.flatMap(({ proxies }) => proxies),
      apply
    }
  })

/**
 * A quantized recurrent layer. Every quantizer of what runs through is called once in each step, and collects in each; the input
 * and all hidden states share one, `ioQuant`.
 *
 * - formula:  `h_t = Q_io(f(Q_acc(Q_io(x_t) Q_w(W) + h_{t-1} Q_w(U) + Q_b(b))))`, `f` the tanh or the rectifier
 * - shapes:   `x [n, t, in], h_0 [layers * directions, n, hidden] -> output [n, t, directions * hidden], hidden as h_0`
 * - gradient: through every quantizer and every step
 * - errors:   InvalidOptions for sizes that cannot be, shared weights in one direction, a quant tensor without `ioQuant`;
 *   ShapeMismatch for other sequences or states; MissingInput where the bias takes the scale of products and there is no `ioQuant`
 * - source:   Elman 1990, "Finding structure in time"; Brevitas, nn/quant_rnn.py (QuantRNN)
 *
 * @since 0.3.0
 */
export const quantRnn = <const O extends RnnOptions & Slots.Given<RecurrentCell.RnnSlot>>(
  options: O & Slots.Checked<O, RecurrentCell.RnnSlot, keyof RnnOptions>
): Effect.Effect<Recurrent<RnnInput, RnnOutput>, Layer.BuildError, Scope.Scope> => {
  const given: RnnOptions & Slots.Given<RecurrentCell.RnnSlot> = options
  const f = given.nonlinearity === "relu" ? Relu.relu : tf.tanh
  const direction: Architecture["direction"] = (site) => RecurrentCell.rnn(site, given, f)
  return make({ kind: "QuantRNN", hasCell: false, sharedCellStateQuant: true, direction }, given)
}

/**
 * A quantized LSTM. Every quantizer of what runs through is called in each step, and collects in each, that of the cell state three
 * times; the input and all hidden states share one, `ioQuant`.
 *
 * - formula:  `i, f, o = Q_sigmoid(sigmoid(Q_acc(s)))`, `g = Q_tanh(tanh(Q_acc(s)))` of `s = Q_io(x_t) Q_w(W) + h_{t-1} Q_w(U) + Q_b(b)`;
 *   `c_t = Q_c(Q_c(f c_{t-1}) + Q_c(i g))`, `h_t = Q_io(o Q_tanh(tanh(c_t)))`; coupled: `f = Q_sigmoid(1) - i`
 * - shapes:   `x [n, t, in], h_0, c_0 [layers * directions, n, hidden] -> output [n, t, directions * hidden], hidden, cell as h_0`
 * - gradient: through every quantizer and every step
 * - errors:   as `quantRnn`; InvalidOptions also for cell states of several quantizers that are asked for as one quant tensor
 * - source:   Hochreiter and Schmidhuber 1997, "Long short-term memory"; Brevitas, nn/quant_rnn.py (QuantLSTM)
 *
 * @since 0.3.0
 */
export const quantLstm = <const O extends LstmOptions & Slots.Given<RecurrentCell.LstmSlot>>(
  options: O & Slots.Checked<O, RecurrentCell.LstmSlot, keyof LstmOptions>
): Effect.Effect<Recurrent<LstmInput, LstmOutput>, Layer.BuildError, Scope.Scope> => {
  const given: LstmOptions & Slots.Given<RecurrentCell.LstmSlot> = options
  const kind = "QuantLSTM"
  const { sharedCellStateQuant = true } = given
  const several = (given.numLayers ?? 1) > 1 || given.bidirectional === true
  if (given.returnQuantTensor === true && !sharedCellStateQuant && several && given.cellStateQuant !== null)
    return Effect.fail(
      refused(kind, ["sharedCellStateQuant", "must be true where the cell states are answered as one quant tensor"])
    )
  const settings = {
    coupled: given.coupledInputForgetGates === true,
    sharedWeightQuant: given.sharedIntraLayerWeightQuant === true,
    sharedGateAccQuant: given.sharedIntraLayerGateAccQuant === true
  }
  const direction: Architecture["direction"] = (site) => RecurrentCell.lstm(site, given, settings)
  return make({ kind, hasCell: true, sharedCellStateQuant, direction }, given)
}
