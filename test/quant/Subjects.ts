/**
 * What the entries of the catalogue are tried on: layers, inputs, and what an entry leaves to be given.
 */
import * as tf from "@tensorflow/tfjs-core"
import { expect } from "vitest"
import type { Module } from "../../src/core/Module.ts"
import type { External } from "../../src/core/TensorQuantizer.ts"
import type * as Injector from "../../src/inject/Injector.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"

// ---- layers and what runs through them ----------------------------------------------------------------------

export const channels = 4
/** Values without a pattern in them, spread over (-1, 1), unlike each other. */
export const spread = (shape: ReadonlyArray<number>, seed = 1): tf.Tensor => {
  const size = tf.util.sizeFromShape([...shape])
  return tf.tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(12.9898 * (i + seed)) * (1 - i / (2 * size))),
    [...shape]
  )
}
export const layer = (kind: string, shape: ReadonlyArray<number>): Module => ({
  kind,
  weight: spread(shape),
  bias: spread([channels], 7),
  outChannels: channels,
  outputChannelAxis: shape.length - 1
})

/** What a user or a layer gives for the names that a declaration leaves open. */
export const options = (entry: Injector.Any, module: Module): Readonly<Record<string, unknown>> => {
  const known: Readonly<Record<string, unknown>> = {
    module,
    perChannelBroadcastableShape: [1, 1, 1, channels],
    minVal: -1,
    maxVal: 1,
    exponentBitWidth: 3,
    mantissaBitWidth: 2,
    bitWidth: Catalogue.facts(entry).format.kind === "minifloat" ? 6 : 8
  }
  const { needs } = Catalogue.facts(entry)
  expect(needs.filter((name) => !(name in known))).toEqual([])
  return Object.fromEntries(needs.map((name) => [name, known[name]]))
}

export const inputOf = (entry: Injector.Any, module: Module): tf.Tensor => {
  const { slot, needs } = Catalogue.facts(entry)
  if (slot === "weight") return module.weight.clone()
  if (slot === "bias") return (module.bias as tf.Tensor).clone()
  // integers in steps of the input's scale, as an accumulator has them
  if (slot === "truncation") return tf.mul(tf.round(tf.mul(spread([2, 8]), 2000)), 0.5)
  const permuted = entry.table.scalingStatsPermuteDims as ReadonlyArray<number> | undefined
  const rank = needs.includes("perChannelBroadcastableShape") ? 4 : (permuted?.length ?? 2)
  return spread(
    [
      [2, 8],
      [2, 3, channels],
      [2, 3, 3, channels]
    ][rank - 2] as ReadonlyArray<number>
  )
}

/** What an input of this format would say of itself. */
export const externalOf = (slot: Catalogue.Slot | undefined): External => ({
  scale: slot === "bias" ? tf.tensor1d([0.01, 0.02, 0.03, 0.04]) : tf.scalar(0.5),
  zeroPoint: tf.scalar(0),
  bitWidth: tf.scalar(slot === "truncation" ? 12 : 8),
  signed: true
})
