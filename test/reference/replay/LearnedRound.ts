/**
 * Replays the vectors of learned and stochastic rounding, and of gradient descent on what quantizers learn.
 */
import * as tf from "@tensorflow/tfjs-core"
import type * as Brick from "../../../src/core/Brick.ts"
import * as IntQuant from "../../../src/core/IntQuant.ts"
import * as LearnedRound from "../../../src/core/LearnedRound.ts"
import * as Rounding from "../../../src/core/Rounding.ts"
import * as View from "../../../src/core/View.ts"
import * as Gradient from "../../../src/tensor/Gradient.ts"
import type * as Tree from "../../../src/tensor/Tree.ts"
import { type Case, failed, type Outcome, type Replay, unsupported } from "../Case.ts"
import { quantizerOf } from "./build/Quantizer.ts"
import { clampOf, roundingOf } from "./build/Rounding.ts"
import { viewOf } from "./build/Statistic.ts"
import { compared, type Evaluated, gradients, on, type Tensors, tensorsOf } from "./Core.ts"
import { evaluated, over } from "./ZeroPoint.ts"

// ---- bricks -------------------------------------------------------------------------------------------------

const impls: Readonly<Record<string, (config: any) => LearnedRound.LearnedRoundImpl>> = {
  LearnedRoundHardSigmoid: ({ zeta, gamma }) =>
    LearnedRound.LearnedRoundHardSigmoid({ learnedRoundZeta: zeta, learnedRoundGamma: gamma }),
  LearnedRoundSigmoid: ({ temperature }) => LearnedRound.LearnedRoundSigmoid({ learnedRoundTemperature: temperature }),
  LearnedRoundIdentity: ({ bound }) => LearnedRound.LearnedRoundIdentity({ learnedRoundBound: bound })
}
const implOf = (config: any): LearnedRound.LearnedRoundImpl => {
  const build = Object.hasOwn(impls, config.op) ? impls[config.op] : undefined
  if (build === undefined) throw new Error(`no learned rounding "${config.op}"`)
  return build(config)
}

const inputViewOf = (config: any): View.View =>
  config === undefined || config === null || config.view === "Identity" ? View.identity : viewOf(config)

/** A rounding by name, or a learned one whose parameters begin as given. */
const roundedBy = (config: any, inputs: Tensors, inputView: any): Rounding.Rounding =>
  typeof config === "string"
    ? roundingOf(config)
    : LearnedRound.LearnedRoundSte({
        learnedRoundImpl: implOf(config.impl),
        learnedRoundInit: inputs.round_param as tf.Tensor,
        inputViewImpl: inputViewOf(config.input_view ?? inputView)
      })

const intQuantOf = (config: any, inputs: Tensors): IntQuant.IntQuant =>
  IntQuant.IntQuant({
    signed: config.signed,
    narrowRange: config.narrow_range,
    floatToIntImpl: roundedBy(config.float_to_int, inputs, config.input_view),
    tensorClampImpl: clampOf(config.clamp),
    quantDelaySteps: config.quant_delay_steps ?? 0,
    inputViewImpl: inputViewOf(config.input_view)
  })

const stateOf = (brick: Brick.Brick, parameters: Tree.Parameters, mode: string): Brick.State => ({
  parameters,
  memory: brick.memory,
  training: mode !== "eval"
})

// ---- one call -----------------------------------------------------------------------------------------------

const probability = (testCase: Case): Evaluated => {
  const { impl, mode } = testCase.config
  const brick = implOf(impl)
  return evaluated(testCase, tensorsOf(testCase.inputs), ({ round_param: p }) =>
    brick.apply(p as tf.Tensor, mode !== "eval")
  )
}

const rounding = (testCase: Case): Evaluated => {
  const { config } = testCase
  const inputs = tensorsOf(testCase.inputs)
  const brick = roundedBy(config, inputs, undefined)
  return evaluated(testCase, inputs, ({ x, round_param: value }) => {
    const parameters = over(brick.parameters, { value })
    return brick.apply(stateOf(brick, parameters, config.mode), x as tf.Tensor)[0]
  })
}

const quantized = (testCase: Case): Evaluated => {
  const { config } = testCase
  const inputs = tensorsOf(testCase.inputs)
  const brick = intQuantOf(config.int_quant, inputs)
  const within = (given: Tensors) => {
    const parameters = over(brick.parameters, { "floatToIntImpl.value": given.round_param })
    const { x, scale, zero_point: zeroPoint, bit_width: bitWidth } = given as Record<string, tf.Tensor>
    return {
      state: stateOf(brick, parameters, config.mode),
      x: x as tf.Tensor,
      grid: { scale, zeroPoint, bitWidth } as IntQuant.Grid
    }
  }
  const value = (given: Tensors): tf.Tensor => {
    const { state, x, grid } = within(given)
    return brick.apply(state, x, grid.scale, grid.zeroPoint, grid.bitWidth)[0]
  }
  const { state, x, grid } = within(inputs)
  const { outputs, grads } = evaluated(testCase, inputs, value)
  return { outputs: { ...outputs, pre_dequant: brick.toInt(state, x, grid)[0] }, ...(grads && { grads }) }
}

// ---- gradient descent ---------------------------------------------------------------------------------------

/** What the vectors call the parameters of a quantizer. */
const paths: Readonly<Record<string, string>> = {
  round_param: "floatToIntImpl.value",
  scale_param: "scalingImpl.value",
  zero_point_param: "zeroPointImpl.value",
  bit_width_offset: "msbClampBitWidthImpl.bitWidthOffset"
}

interface Subject {
  readonly brick: Brick.Brick
  readonly value: (state: Brick.State) => tf.Tensor
}

const subjectOf = ({ config }: Case, inputs: Tensors): Subject => {
  const x = inputs.x as tf.Tensor
  if (config.op !== "IntQuant") {
    const brick = quantizerOf(config, inputs)
    return { brick, value: (state) => brick.apply(state, x)[0].value }
  }
  const brick = intQuantOf(config.int_quant, inputs)
  const zeroPoint = tf.scalar(config.zero_point)
  const bitWidth = tf.scalar(config.bit_width)
  return { brick, value: (state) => brick.apply(state, x, inputs.scale as tf.Tensor, zeroPoint, bitWidth)[0] }
}

const trained = (testCase: Case): Evaluated => {
  const { config } = testCase
  const inputs = tensorsOf(testCase.inputs)
  const { brick, value } = subjectOf(testCase, inputs)
  const names = Object.keys(paths).filter((name) => inputs[name] !== undefined)
  const at = (given: ReadonlyArray<tf.Tensor>, mode: string): tf.Tensor => {
    const leaves = Object.fromEntries(names.map((name, i) => [paths[name] as string, given[i] as tf.Tensor]))
    return value(stateOf(brick, over(brick.parameters, leaves), mode))
  }
  const loss = (y: tf.Tensor): tf.Tensor => tf.mul(0.5, tf.sum(tf.square(tf.sub(y, inputs.target as tf.Tensor))))
  const outputs: Record<string, tf.Tensor> = {}
  const grads: Record<string, tf.Tensor | null> = {}
  let now: ReadonlyArray<tf.Tensor> = names.map((name) => inputs[name] as tf.Tensor)
  for (let k = 0; k < config.num_steps; k++) {
    const y = at(now, "train")
    const found = Gradient.valueAndGradients((given) => loss(at(given, "train")), now).gradients
    outputs[`value@${k}`] = y
    outputs[`loss@${k}`] = loss(y)
    now = now.map((p, i) => (found[i] ? tf.sub(p, tf.mul(found[i] as tf.Tensor, config.sgd_lr)) : p))
    names.forEach((name, i) => {
      grads[`${name}@${k}`] = found[i] as tf.Tensor | null
      outputs[`${name}_after@${k}`] = now[i] as tf.Tensor
    })
  }
  return { outputs: { ...outputs, "value@eval": at(now, "eval") }, grads }
}

// ---- by chance ----------------------------------------------------------------------------------------------

const calls = 200

/** Every sample is one of the two neighbours, as often up as the vector says, within five standard deviations. */
const sampled = (testCase: Case): Outcome => {
  const { config, outputs } = testCase
  const inputs = tensorsOf(testCase.inputs)
  const x = inputs.x as tf.Tensor
  const cotangent = inputs.cotangent as tf.Tensor
  const brick = Rounding.StochasticRoundSte({
    stochasticRoundSeed: config.seed ?? 1,
    stochasticRoundDeterministicInference: config.deterministic_inference ?? true
  })
  const inACall = Math.ceil(config.num_samples / calls)
  const many = tf.tile(tf.reshape(x, [1, x.size]), [inACall, 1])
  const ups = new Array<number>(x.size).fill(0)
  let wrong: string | undefined
  let state = stateOf(brick, {}, config.mode)
  for (let call = 0; call < calls; call++) {
    const [y, memory] = brick.apply(state, many)
    state = { ...state, memory }
    y.dataSync().forEach((sample, i) => {
      const at = i % x.size
      if (sample === outputs.upper.data[at]) ups[at] = (ups[at] as number) + 1
      else if (sample !== outputs.lower.data[at]) wrong ??= `${sample} is no neighbour of x[${at}]`
    })
  }
  const samples = inACall * calls
  outputs.prob_up.data.forEach((p: number, i: number) => {
    const seen = (ups[i] as number) / samples
    if (Math.abs(seen - p) > 5 * Math.sqrt((p * (1 - p)) / samples) + 1e-6)
      wrong ??= `x[${i}] was rounded up in ${seen} of the samples, not ${p}`
  })
  if (wrong !== undefined) return failed(wrong)
  const grads = gradients((given) => brick.apply(state, given.x as tf.Tensor)[0], inputs, ["x"], cotangent)
  return compared({ ...testCase, outputs: {} }, { outputs: {}, grads }, { exact: true })
}

const deterministic = (testCase: Case): Evaluated => {
  const { config } = testCase
  const brick = Rounding.StochasticRoundSte({
    stochasticRoundDeterministicInference: config.deterministic_inference
  })
  return evaluated(
    testCase,
    tensorsOf(testCase.inputs),
    ({ x }) => brick.apply(stateOf(brick, {}, config.mode), x as tf.Tensor)[0]
  )
}

const outcomeOf = (testCase: Case): Outcome => {
  const { op, kind, statistical }: { readonly op: string; readonly kind?: string; readonly statistical?: boolean } =
    testCase.config
  if (kind === "training_trace") return compared(testCase, trained(testCase))
  if (op === "learned_round_probability") return compared(testCase, probability(testCase))
  if (op === "LearnedRoundSte") return compared(testCase, rounding(testCase))
  if (op === "IntQuant") return compared(testCase, quantized(testCase))
  if (op === "StochasticRoundSte")
    return statistical ? sampled(testCase) : compared(testCase, deterministic(testCase), { exact: true })
  return unsupported(`no brick for "${op}"`)
}

export const replay: Replay = (testCase, backend) => on(backend, () => outcomeOf(testCase))
