/**
 * What a quantizer did to a tensor during a trace, as plain data.
 *
 * Room: exchange (level 5). Imports: tfjs, `nn`, `quant`, `tensor`, `./Graph.ts`, `./GraphConstants.ts`.
 * Laws: test/exchange/Trace.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type { Use } from "../nn/Calls.ts"
import * as Facts from "../quant/Facts.ts"
import * as Host from "../tensor/Host.ts"
import type * as Graph from "./Graph.ts"
import * as GraphConstants from "./GraphConstants.ts"

/** A copy of the numbers of a tensor. */
export const numbersOf = (x: tf.Tensor): Graph.Numbers => ({ shape: [...x.shape], data: Host.floats(x).slice() })

const roundings: Readonly<Record<string, Graph.Rounding>> = {
  "to nearest, ties to even": "nearest",
  down: "floor",
  up: "ceil",
  "towards zero": "toZero"
}

const widthOf = (x: tf.Tensor): number | undefined => {
  const [bits, ...others] = Host.floats(x)
  return bits !== undefined && others.every((other) => other === bits) && Number.isInteger(bits) ? bits : undefined
}

/** The grid of a quantized value, or why there is none that could be written down. */
export const gridOf = ({ proxy, quantizer, signed, result }: Use): Graph.Grid | string => {
  // of a constant each element has the scale of its group
  if (result.grouped !== undefined && proxy.slot !== "weight")
    return "its scales are those of groups; use a quantizer per tensor or per channel"
  const { format, rounding: told } = Facts.of(proxy.injector)
  const rounding = roundings[told ?? ""] ?? "other"
  const scale = numbersOf(result.scale)
  const bits = widthOf(result.bitWidth)
  if (bits === undefined) return "its width is no single whole number of bits"
  if (quantizer.float !== undefined || format.kind === "minifloat") {
    const [, largest] = Facts.of(proxy.injector).range ?? []
    if (quantizer.float === undefined || largest === undefined) return "its minifloat format is not known"
    return { kind: "minifloat", scale, format: quantizer.float, bits, signed, largest, rounding }
  }
  switch (format.kind) {
    case "binary":
    case "ternary":
      return { kind: format.kind, scale }
    case "integer":
      return {
        kind: "integer",
        scale,
        zeroPoint: numbersOf(result.zeroPoint),
        bits,
        signed,
        narrow: format.narrow,
        rounding
      }
    default:
      return "its declaration does not tell what its values are (quantType, signed, narrowRange)"
  }
}

/** Whether rounding and clamping on the grid explain the quantized value: to one step, for a division may be a product elsewhere. */
export const isExplained = ({ x, result }: Use, grid: Graph.Grid): boolean => {
  const value = Host.floats(result.value)
  if (grid.kind === "minifloat") return true
  const scaleAt = GraphConstants.spread(grid.scale, x.shape)
  const scale = (i: number): number => grid.scale.data[scaleAt(i)] as number
  if (grid.kind !== "integer")
    return value.every((y, i) => {
      const step = Math.abs(y / scale(i))
      return Math.abs(step - 1) < 1e-3 || (grid.kind === "ternary" && step === 0)
    })
  const integers = GraphConstants.formula({ shape: x.shape, data: Host.floats(x) }, grid)
  if (integers === undefined) return true
  const zeroAt = GraphConstants.spread(grid.zeroPoint, x.shape)
  return value.every((y, i) => {
    const q = y / scale(i) + (grid.zeroPoint.data[zeroAt(i)] as number)
    return Math.abs(q - Math.round(q)) < 0.05 && Math.abs(q - (integers[i] as number)) < 1.05
  })
}
