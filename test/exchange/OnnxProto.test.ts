import { Effect, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type * as OnnxModel from "../../src/exchange/OnnxModel.ts"
import * as OnnxProto from "../../src/exchange/OnnxProto.ts"
import * as Protobuf from "../../src/exchange/Protobuf.ts"

const model: OnnxModel.Model = {
  irVersion: 7,
  producerName: "breve",
  opsetImport: [
    { domain: "", version: 13 },
    { domain: "qonnx.custom_op.general", version: 2 }
  ],
  graph: {
    name: "a graph",
    node: [
      {
        name: "a node",
        opType: "Quant",
        domain: "qonnx.custom_op.general",
        input: ["x", "c"],
        output: ["y"],
        attribute: [
          { name: "signed", type: "int", i: -1 },
          { name: "alpha", type: "float", f: 0.5 },
          { name: "rounding_mode", type: "string", s: "ROUND" },
          { name: "perm", type: "ints", ints: [1, 0, 300] },
          { name: "none", type: "ints", ints: [] }
        ]
      },
      { name: "", opType: "Relu", domain: "", input: ["y"], output: ["z"], attribute: [] }
    ],
    initializer: [
      { name: "c", dims: [2, 1], dataType: "int8", rawData: new Uint8Array([1, 255]) },
      { name: "s", dims: [], dataType: "float32", rawData: new Uint8Array([0, 0, 128, 63]) }
    ],
    input: [{ name: "x", dataType: "float32", shape: ["N", 3] }],
    output: [{ name: "z", dataType: "float32", shape: ["N", 3] }]
  },
  metadataProps: [
    { key: "a key", value: "a value" },
    { key: "", value: "ü" }
  ]
}

const bytes = OnnxProto.encode(model)
const read = (given: Uint8Array) => Effect.runSync(Effect.result(OnnxProto.decode(given, "m.onnx")))

describe("an ONNX file", () => {
  it("is read as it was written", () => {
    expect(Result.getOrThrow(read(bytes))).toEqual(model)
  })

  it("has the bytes that the wire format asks for", () => {
    const opset = Protobuf.encode("OperatorSetIdProto", { domain: "ai", version: 300 })
    // field 1, length-delimited, 2 bytes; field 2, a varint of 300
    expect([...opset]).toEqual([0x0a, 2, 0x61, 0x69, 0x10, 0xac, 0x02])
    const attribute = Protobuf.encode("AttributeProto", { f: 1, ints: [1, 2] })
    expect([...attribute]).toEqual([0x15, 0, 0, 0x80, 0x3f, 0x40, 1, 0x40, 2])
  })

  it("reads numbers that share one tag, and skips what it does not know", () => {
    expect(Protobuf.decode("AttributeProto", new Uint8Array([0x42, 2, 1, 2, 0x40, 3])).ints).toEqual([1, 2, 3])
    // field 6 of a node, its documentation
    expect(Protobuf.decode("NodeProto", new Uint8Array([0x32, 1, 0x61, 0x22, 1, 0x62]))).toEqual({ opType: "b" })
  })

  it("is refused with a typed error where it is damaged, whatever the damage", () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (at, byte, length) => {
        const damaged = bytes.slice(0, length)
        if (at < length) damaged[at] = byte
        const result = read(damaged)
        expect(Result.isSuccess(result) || result.failure._tag === "MalformedFile").toBe(true)
      }),
      { numRuns: 500 }
    )
    const short = read(bytes.slice(0, -3))
    expect(Result.isFailure(short) && short.failure.message).toMatch(/^m\.onnx: /)
  })
})
