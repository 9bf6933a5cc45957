import { MinifloatCode } from "breve"

const e2m1 = { exponentBitWidth: 2, mantissaBitWidth: 1, exponentBias: 1, signed: true }

/** The four bits of -1.5 as FP4 (e2m1) stores it, and all values of its positive codes. */
export const example = () => ({
  code: MinifloatCode.encode(-1.5, e2m1)?.toString(2),
  values: [0, 1, 2, 3, 4, 5, 6, 7].map((code) => MinifloatCode.decode(code, e2m1))
})

export const shows = { code: "1011", values: [0, 0.5, 1, 1.5, 2, 3, 4, 6] }
