import { describe, expect, it } from "vitest"
import * as Minifloat from "../../src/op/Minifloat.ts"
import * as MinifloatCode from "../../src/op/MinifloatCode.ts"

const { NaN: nan, POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minus } = Number

const ocp = (e: number, m: number, signed = true): MinifloatCode.Coded => ({
  exponentBitWidth: e,
  mantissaBitWidth: m,
  exponentBias: Minifloat.biasOf(e),
  signed,
  ...Minifloat.ocpReserved(1 + e + m, e, m)
})
const fnuz = (e: number, m: number): MinifloatCode.Coded => ({
  exponentBitWidth: e,
  mantissaBitWidth: m,
  exponentBias: Minifloat.biasOf(e, "fnuz"),
  signed: true,
  unsignedZero: true
})

describe("MinifloatCode", () => {
  it("the codes that the specifications name", () => {
    const decoded = (format: MinifloatCode.Coded, ...codes: ReadonlyArray<number>) =>
      codes.map((code) => MinifloatCode.decode(code, format))
    expect(decoded(ocp(4, 3), 0x00, 0x80, 0x01, 0x08, 0x38, 0x7e, 0xfe, 0x7f, 0xff)).toEqual([
      ...[0, -0, 2 ** -9, 2 ** -6, 1, 448, -448, nan, nan]
    ])
    expect(decoded(ocp(5, 2), 0x01, 0x7b, 0xfb, 0x7c, 0xfc, 0x7d, 0x7f)).toEqual([
      ...[2 ** -16, 57344, -57344, inf, minus, nan, nan]
    ])
    expect(decoded(fnuz(4, 3), 0x00, 0x80, 0x7f, 0xff, 0x01)).toEqual([0, nan, 240, -240, 2 ** -10])
    expect(decoded(ocp(2, 1), 1, 7, 15)).toEqual([0.5, 6, -6])
    expect(decoded(ocp(3, 0), 0, 1, 7)).toEqual([0, 2 ** -2, 16])
    expect(decoded(ocp(2, 1, false), 7)).toEqual([6])
    expect([ocp(4, 3), ocp(2, 1), ocp(2, 1, false)].map(MinifloatCode.bitWidthOf)).toEqual([8, 4, 3])
  })

  it("the nearest code, ties to the even one, and what lies beyond", () => {
    const encoded = (format: MinifloatCode.Coded, ...values: ReadonlyArray<number>) =>
      values.map((value) => MinifloatCode.encode(value, format))
    // e2m1: 0 0.5 1 1.5 2 3 4 6
    expect(encoded(ocp(2, 1), 0.25, 0.75, 1.25, 2.5, 3.5, 5, 5.01, 4.99, -2.5, 100, minus)).toEqual([
      ...[0, 2, 2, 4, 6, 6, 7, 6, 12, 7, 15]
    ])
    expect(encoded(ocp(2, 1), nan, -0, 0)).toEqual([undefined, 8, 0])
    expect(encoded(ocp(4, 3), nan, inf, minus, 464.1)).toEqual([0x7f, 0x7e, 0xfe, 0x7e])
    expect(encoded(ocp(5, 2), nan, inf, minus, 1e9)).toEqual([0x7d, 0x7c, 0xfc, 0x7b])
    expect(encoded(fnuz(4, 3), nan, -0, -1e-9, -240)).toEqual([0x80, 0, 0, 0xff])
    expect(encoded(ocp(2, 1, false), -3, 3)).toEqual([0, 5])
  })
})
