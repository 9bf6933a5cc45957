/**
 * Puts an ONNX graph together, node by node: names are unique, and constants of the same content are kept once.
 *
 * Room: exchange (level 5). Imports: `./OnnxModel.ts`. Laws: test/exchange/Onnx.test.ts.
 */
import type * as OnnxModel from "./OnnxModel.ts"

/** Lives within one export. */
export interface Builder {
  /** the name of a constant of this content; `hint` names it where it is new */
  readonly constant: (
    hint: string,
    dataType: OnnxModel.DataType,
    dims: ReadonlyArray<number>,
    values: ArrayLike<number>
  ) => string
  /** adds a node of one answer and says how that is called */
  readonly node: (
    opType: string,
    input: ReadonlyArray<string>,
    output: string,
    attribute?: ReadonlyArray<OnnxModel.Attribute>,
    domain?: string
  ) => string
  readonly nodes: () => ReadonlyArray<OnnxModel.Node>
  readonly initializers: () => ReadonlyArray<OnnxModel.Tensor>
}

// ---- attributes ---------------------------------------------------------------------------------------------

export const int = (name: string, i: number): OnnxModel.Attribute => ({ name, type: "int", i })
export const float = (name: string, f: number): OnnxModel.Attribute => ({ name, type: "float", f })
export const string = (name: string, s: string): OnnxModel.Attribute => ({ name, type: "string", s })
export const ints = (name: string, all: ReadonlyArray<number>): OnnxModel.Attribute => ({
  name,
  type: "ints",
  ints: [...all]
})

// ---- bytes --------------------------------------------------------------------------------------------------

const sizes = { float32: 4, uint8: 1, int8: 1, uint16: 2, int16: 2, int32: 4, int64: 8 } as const

/** The bytes of elements, little-endian; of four bits two in a byte, the first in the low half. */
export const bytesOf = (dataType: OnnxModel.DataType, values: ArrayLike<number>): Uint8Array => {
  if (dataType === "int4" || dataType === "uint4") {
    const bytes = new Uint8Array(Math.ceil(values.length / 2))
    for (let i = 0; i < values.length; i++)
      bytes[i >> 1] = (bytes[i >> 1] as number) | (((values[i] as number) & 15) << (4 * (i & 1)))
    return bytes
  }
  const size = sizes[dataType]
  const bytes = new Uint8Array(values.length * size)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    const at = i * size
    if (dataType === "float32") view.setFloat32(at, value, true)
    else if (dataType === "int64") view.setBigInt64(at, BigInt(value), true)
    else if (size === 4) view.setInt32(at, value, true)
    else if (size === 2) view.setInt16(at, value, true)
    else view.setInt8(at, value)
  }
  return bytes
}

// ---- building -----------------------------------------------------------------------------------------------

const keyOf = (dataType: string, dims: ReadonlyArray<number>, bytes: Uint8Array): string =>
  `${dataType}[${dims.join(",")}]${bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 16777619) >>> 0, 2166136261)}`

const areSame = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])

export const make = (taken: Iterable<string> = []): Builder => {
  const nodes: Array<OnnxModel.Node> = []
  const initializers: Array<OnnxModel.Tensor> = []
  const known = new Map<string, Array<OnnxModel.Tensor>>()
  const names = new Set(taken)
  const unique = (wanted: string): string => {
    let name = wanted
    for (let n = 2; names.has(name); n++) name = `${wanted}_${n}`
    names.add(name)
    return name
  }
  return {
    constant: (hint, dataType, dims, values) => {
      const rawData = bytesOf(dataType, values)
      const key = keyOf(dataType, dims, rawData)
      const alike = known.get(key) ?? []
      const found = alike.find((tensor) => areSame(tensor.rawData, rawData))
      if (found !== undefined) return found.name
      const tensor = { name: unique(hint), dims: [...dims], dataType, rawData }
      initializers.push(tensor)
      known.set(key, [...alike, tensor])
      return tensor.name
    },
    node: (opType, input, wanted, attribute = [], domain = "") => {
      const output = unique(wanted)
      nodes.push({ name: `${output}/${opType}`, opType, domain, input: [...input], output: [output], attribute })
      return output
    },
    nodes: () => nodes,
    initializers: () => initializers
  }
}
