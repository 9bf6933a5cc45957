/**
 * The messages of ONNX files, with the field numbers of the standard (onnx.proto): those that quantized networks need.
 *
 * Room: exchange (level 5). Imports: nothing. Laws: test/exchange/OnnxProto.test.ts.
 */

/** How a field is written: a whole number, a float32, text, bytes, or a message by its name. */
export type Kind = "int64" | "float" | "string" | "bytes" | MessageName

export interface Field {
  readonly id: number
  readonly kind: Kind
  readonly rule?: "repeated"
}

export type MessageName =
  | "ModelProto"
  | "OperatorSetIdProto"
  | "StringStringEntryProto"
  | "GraphProto"
  | "NodeProto"
  | "AttributeProto"
  | "TensorProto"
  | "ValueInfoProto"
  | "TypeProto"
  | "TypeProto.Tensor"
  | "TensorShapeProto"
  | "TensorShapeProto.Dimension"

export const messages: Readonly<Record<MessageName, Readonly<Record<string, Field>>>> = {
  ModelProto: {
    irVersion: { id: 1, kind: "int64" },
    producerName: { id: 2, kind: "string" },
    graph: { id: 7, kind: "GraphProto" },
    opsetImport: { id: 8, kind: "OperatorSetIdProto", rule: "repeated" },
    metadataProps: { id: 14, kind: "StringStringEntryProto", rule: "repeated" }
  },
  StringStringEntryProto: {
    key: { id: 1, kind: "string" },
    value: { id: 2, kind: "string" }
  },
  OperatorSetIdProto: {
    domain: { id: 1, kind: "string" },
    version: { id: 2, kind: "int64" }
  },
  GraphProto: {
    node: { id: 1, kind: "NodeProto", rule: "repeated" },
    name: { id: 2, kind: "string" },
    initializer: { id: 5, kind: "TensorProto", rule: "repeated" },
    input: { id: 11, kind: "ValueInfoProto", rule: "repeated" },
    output: { id: 12, kind: "ValueInfoProto", rule: "repeated" }
  },
  NodeProto: {
    input: { id: 1, kind: "string", rule: "repeated" },
    output: { id: 2, kind: "string", rule: "repeated" },
    name: { id: 3, kind: "string" },
    opType: { id: 4, kind: "string" },
    attribute: { id: 5, kind: "AttributeProto", rule: "repeated" },
    domain: { id: 7, kind: "string" }
  },
  AttributeProto: {
    name: { id: 1, kind: "string" },
    f: { id: 2, kind: "float" },
    i: { id: 3, kind: "int64" },
    s: { id: 4, kind: "bytes" },
    // onnx.proto is proto2: repeated numbers are not packed unless a field says so
    ints: { id: 8, kind: "int64", rule: "repeated" },
    type: { id: 20, kind: "int64" }
  },
  TensorProto: {
    dims: { id: 1, kind: "int64", rule: "repeated" },
    dataType: { id: 2, kind: "int64" },
    name: { id: 8, kind: "string" },
    rawData: { id: 9, kind: "bytes" }
  },
  ValueInfoProto: {
    name: { id: 1, kind: "string" },
    type: { id: 2, kind: "TypeProto" }
  },
  TypeProto: {
    tensorType: { id: 1, kind: "TypeProto.Tensor" }
  },
  "TypeProto.Tensor": {
    elemType: { id: 1, kind: "int64" },
    shape: { id: 2, kind: "TensorShapeProto" }
  },
  TensorShapeProto: {
    dim: { id: 1, kind: "TensorShapeProto.Dimension", rule: "repeated" }
  },
  "TensorShapeProto.Dimension": {
    dimValue: { id: 1, kind: "int64" },
    dimParam: { id: 2, kind: "string" }
  }
}

/** Numbers of attribute types in the standard. */
export const attributeTypes = { float: 1, int: 2, string: 3, ints: 7 } as const
