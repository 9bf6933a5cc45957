/**
 * Stored tensors for tests: any type, any bits.
 */
import fc from "fast-check"
import * as Stored from "../../src/tensor/Stored.ts"

const dtypes = Object.keys(Stored.byteSizes) as ReadonlyArray<Stored.Dtype>

/** Few axes, some of them empty. */
const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 })

/** Bytes that are likely to be special numbers: runs of 00, 7f, 80, ff among any others. */
const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc
    .array(fc.oneof(fc.constantFrom(0, 0x7f, 0x80, 0xc0, 0xff), fc.integer({ min: 0, max: 255 })), {
      minLength: length,
      maxLength: length
    })
    .map((all) => Uint8Array.from(all))

export const stored: fc.Arbitrary<Stored.Stored> = fc
  .tuple(fc.constantFrom(...dtypes), shape)
  .chain(([dtype, dims]) =>
    bytes(Stored.sizeOf(dims) * Stored.byteSizes[dtype]).map((data) => ({ dtype, shape: dims, data }))
  )

const name = fc.oneof(
  fc.constantFrom("weight", "weightQuant.scalingImpl.value", "__proto__", "", 'a"b\\', "ü\u2028😀", "constructor"),
  fc.string()
)

export const tensors: fc.Arbitrary<Stored.Tensors> = fc
  .uniqueArray(fc.tuple(name, stored), { selector: ([key]) => key, maxLength: 4 })
  .map((pairs) => Object.fromEntries(pairs.filter(([key]) => key !== "__metadata__")))

export const metadata = fc
  .uniqueArray(fc.tuple(name, fc.string()), { selector: ([key]) => key, maxLength: 3 })
  .map((pairs) => Object.fromEntries(pairs))

/** Every special float32, by bits. */
export const specials: Stored.Stored = {
  dtype: "F32",
  shape: [10],
  data: new Uint8Array(
    Uint32Array.of(
      0x7fc00000,
      0xffc00001,
      0x7f800001,
      0x7f800000,
      0xff800000,
      0x80000000,
      0x00000001,
      0x807fffff,
      0x7f7fffff,
      0x3dcccccd
    ).buffer
  )
}
