/**
 * What only a built quantizer tells: how many numbers it learns and keeps running, and what it takes from outside.
 *
 * Built for a small example layer, in which the counts of channels, groups and weights differ.
 *
 * Room: cli (level 6). Imports: tfjs, effect, `core`, `inject`, `tensor`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import type { Module } from "../core/Module.ts"
import type { TensorQuantizer } from "../core/TensorQuantizer.ts"
import * as Injector from "../inject/Injector.ts"
import * as Tree from "../tensor/Tree.ts"

/** How many numbers there are: for the whole tensor, for each channel, each group, each value. */
export interface Count {
  readonly tensor: number
  readonly channel: number
  readonly group: number
  readonly value: number
}

export interface Measured {
  readonly learned: Count
  readonly running: Count
  /** what it takes from the input that it depends on */
  readonly outside: ReadonlyArray<string>
}

const inputs = 96
const channels = 5
const groupSize = 32

const sizes: ReadonlyArray<readonly [keyof Count, number]> = [
  ["tensor", 1],
  ["channel", channels],
  ["group", channels * Math.ceil(inputs / groupSize)],
  ["value", inputs * channels]
]

const counted = (tensors: ReadonlyArray<tf.Tensor>): Count => {
  const count = { tensor: 0, channel: 0, group: 0, value: 0 }
  for (const { size } of tensors) {
    const kind = sizes.find(([, exactly]) => exactly === size)?.[0]
    if (kind === undefined) count.tensor += size
    else count[kind] += 1
  }
  return count
}

const nothing: Count = { tensor: 0, channel: 0, group: 0, value: 0 }

/** What an example layer and its user would give for the names that a declaration leaves open. */
const example = (module: Module): Readonly<Record<string, unknown>> => ({
  module,
  perChannelBroadcastableShape: [1, 1, 1, channels],
  scalingStatsPermuteDims: [3, 0, 1, 2],
  minVal: -1,
  maxVal: 1,
  bitWidth: 8,
  groupSize
})

/** Values spread over [-0.5, 0.5), so that no statistic of them is 0. */
const weights = (): tf.Tensor =>
  tf.tensor2d(
    Float32Array.from({ length: inputs * channels }, (_, i) => ((i * 37) % 101) / 101 - 0.5),
    [inputs, channels]
  )

/** Builds a quantizer for the example layer and looks at it; undefined if it cannot be built so. */
export const measure = (entry: Injector.Any): Effect.Effect<Measured | undefined> =>
  Effect.gen(function* () {
    const made = yield* Effect.acquireRelease(
      Effect.sync(() => ({ weight: weights(), bias: tf.ones([channels]) })),
      ({ weight, bias }) => Effect.sync(() => tf.dispose([weight, bias]))
    )
    const module: Module = { kind: "Linear", ...made, outChannels: channels, outputChannelAxis: 1 }
    const known = example(module)
    const foreseen = Injector.foresee(entry, ["tensorQuant"])
    const needed = Object.keys(foreseen).filter((name) => foreseen[name]?.kind === "missing" && name in known)
    const given = Object.fromEntries(needed.map((name) => [name, known[name]]))
    const { tensorQuant } = yield* Injector.resolveUnknown(entry, ["tensorQuant"], given)
    if (tensorQuant === undefined) return { learned: nothing, running: nothing, outside: [] }
    const { parameters, memory, needs } = tensorQuant as TensorQuantizer
    return {
      learned: counted(Tree.tensors(parameters)),
      running: counted(Tree.tensors(memory)),
      outside: needs ?? []
    }
  }).pipe(
    Effect.scoped,
    Effect.catch(() => Effect.succeed(undefined))
  )
