/**
 * ONNX models as plain data, as far as quantized networks need them: the field names and numbers are those of the standard.
 *
 * Room: exchange (level 5). Imports: nothing. Laws: test/exchange/OnnxProto.test.ts.
 */

/** Numbers of element types in the standard. */
export const dataTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  /** two in a byte, the first one in the low bits */
  uint4: 21,
  int4: 22
} as const

export type DataType = keyof typeof dataTypes

/** The lowest and the highest number of each type of integers that quantized values are stored in. */
export const integerRanges: Readonly<Record<Exclude<DataType, "float32" | "int64">, readonly [number, number]>> = {
  int4: [-8, 7],
  uint4: [0, 15],
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1]
}

/** A constant: its elements row by row, in the bytes of the file. */
export interface Tensor {
  readonly name: string
  readonly dims: ReadonlyArray<number>
  readonly dataType: DataType
  readonly rawData: Uint8Array
}

export type Attribute =
  | { readonly name: string; readonly type: "int"; readonly i: number }
  | { readonly name: string; readonly type: "float"; readonly f: number }
  | { readonly name: string; readonly type: "string"; readonly s: string }
  | { readonly name: string; readonly type: "ints"; readonly ints: ReadonlyArray<number> }

export interface Node {
  readonly name: string
  readonly opType: string
  /** empty: that of the standard */
  readonly domain: string
  readonly input: ReadonlyArray<string>
  readonly output: ReadonlyArray<string>
  readonly attribute: ReadonlyArray<Attribute>
}

/** A value from outside or for outside; a size with a name is open. */
export interface ValueInfo {
  readonly name: string
  readonly dataType: DataType
  readonly shape: ReadonlyArray<number | string>
}

export interface Graph {
  readonly name: string
  readonly node: ReadonlyArray<Node>
  readonly initializer: ReadonlyArray<Tensor>
  readonly input: ReadonlyArray<ValueInfo>
  readonly output: ReadonlyArray<ValueInfo>
}

export interface Model {
  readonly irVersion: number
  readonly producerName: string
  readonly opsetImport: ReadonlyArray<{ readonly domain: string; readonly version: number }>
  readonly graph: Graph
  /** texts by name */
  readonly metadataProps: ReadonlyArray<{ readonly key: string; readonly value: string }>
}
