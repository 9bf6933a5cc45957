/**
 * The entry of the catalogue that a case names, with the options that the case shows.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import type { Module } from "../../../../src/core/Module.ts"
import type { TensorQuantizer } from "../../../../src/core/TensorQuantizer.ts"
import * as Injector from "../../../../src/inject/Injector.ts"
import * as Catalogue from "../../../../src/quant/Catalogue.ts"

const defined = (record: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined && value !== null))

/** "MXFloatWeight with scaling_impl_type=parameter_from_stats" is an entry and an option. */
const named = (preset: string): readonly [name: string, options: Readonly<Record<string, unknown>>] => {
  const [name, option] = preset.split(" with ") as [string, string | undefined]
  if (option === undefined) return [name, {}]
  if (option !== "scaling_impl_type=parameter_from_stats") throw new Error(`unknown option "${option}"`)
  return [name, { scalingImplType: "parameterFromStats" }]
}

/** The options of a learned scale that begins somewhere else than at 1. */
const rangeOf = ({ initial_value: initial }: any): Readonly<Record<string, unknown>> =>
  typeof initial === "number" ? { maxVal: initial, minVal: 0 } : {}

/** Channels where the scale has a shape of its own: of an input, the case says where they are. */
const channelsOf = ({ permute_dims: permuteDims, output_shape: shape }: any): Readonly<Record<string, unknown>> => ({
  ...defined({ scalingStatsPermuteDims: permuteDims }),
  ...(permuteDims && shape?.length > 0 && { scalingPerOutput: "channel", perChannelBroadcastableShape: shape })
})

const optionsOf = (config: any): Readonly<Record<string, unknown>> => {
  const { equivalent } = config
  const scaling = equivalent.scaling ?? {}
  return defined({
    bitWidth: equivalent.bit_width?.bit_width ?? (equivalent.op === "FloatQuant" ? equivalent.bit_width : undefined),
    exponentBitWidth: equivalent.exponent_bit_width,
    mantissaBitWidth: equivalent.mantissa_bit_width,
    groupSize: config.group_size,
    groupDim: config.group_dim,
    accumulatorBitWidth: equivalent.pre_scaling?.accumulator_bit_width,
    collectStatsSteps: scaling.collect_stats_steps,
    ...rangeOf(scaling),
    ...channelsOf(scaling)
  })
}

const moduleOf = (weight: tf.Tensor): Module => ({
  kind: "QuantLinear",
  weight,
  outChannels: weight.shape[0] ?? 0,
  outputChannelAxis: 0
})

/** Calls `f` with the quantizer that the named entry resolves to; undefined if the catalogue has no such entry. */
export const withPreset = <A>(
  config: any,
  weight: tf.Tensor | undefined,
  f: (self: TensorQuantizer) => A
): A | undefined => {
  if (config.preset === undefined) return undefined
  const [name, options] = named(config.preset)
  const entry = Object.hasOwn(Catalogue.entries, name) ? Catalogue.entries[name] : undefined
  if (entry === undefined) return undefined
  const injector = Injector.merge(entry, Injector.make({ ...optionsOf(config), ...options }) as Injector.Any)
  const module = moduleOf(weight ?? tf.scalar(0))
  return Effect.runSync(
    Effect.scoped(
      Effect.map(Injector.resolveUnknown(injector, ["tensorQuant"], { module }), ({ tensorQuant }) =>
        f(tensorQuant as TensorQuantizer)
      )
    )
  )
}
