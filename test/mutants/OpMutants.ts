/**
 * Mutants of ops: roundings, clamps, ranges, minifloats, powers of two, quantization in one pass and in many.
 */
import type { Mutant } from "./Mutant.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "ties are rounded up, not to even",
    file: "src/tensor/Float32.ts",
    text: "over < 0.5 || (over === 0.5 && below % 2 === 0) ? below",
    instead: "over < 0.5 ? below",
    packs: ["RoundingLaws"],
    law: "every middle, and what is beside it"
  },
  {
    name: "towards zero is down",
    file: "src/op/Round.ts",
    text: "Math.trunc(from[i] as number)",
    instead: "Math.floor(from[i] as number)",
    packs: ["RoundingLaws"],
    law: "every middle, and what is beside it"
  },
  {
    name: "rounding has no gradient",
    file: "src/op/Round.ts",
    text: "({ value: f(x), gradient: (dy) => [dy] })",
    instead: "({ value: f(x), gradient: (dy) => [tf.zerosLike(dy)] })",
    packs: ["RoundingLaws"],
    law: "the gradient it states"
  },
  {
    name: "chance is even, whatever the fraction",
    file: "src/op/StochasticRound.ts",
    text: "< value - floor ? floor + 1",
    instead: "< 0.5 ? floor + 1",
    packs: ["RoundingLaws by chance"],
    law: "one of both neighbours"
  },
  {
    name: "clamping swallows NaN",
    file: "src/op/Clamp.ts",
    text: "return tf.add(tf.clipByValue(x, fround(low), fround(high)), tf.div(zero, tf.add(tf.abs(x), 1)))",
    instead: "return tf.add(tf.clipByValue(x, fround(low), fround(high)), zero)",
    packs: ["ClampLaws"],
    law: "NaN stays NaN"
  },
  {
    name: "the gradient of a clamp is not masked",
    file: "src/op/Clamp.ts",
    text: "to[i] = v >= bottom && v <= top ? (g[i] as number) : 0",
    instead: "to[i] = bottom <= top ? (g[i] as number) : v",
    packs: ["ClampLaws"],
    law: "the gradient it states"
  },
  {
    name: "the lower bound learns the wrong way",
    file: "src/op/Clamp.ts",
    text: "if (Math.min(v, top) < bottom) toLow += given",
    instead: "if (Math.min(v, top) < bottom) toLow -= given",
    packs: ["ClampLaws"],
    law: "the gradient goes to what was selected"
  },
  {
    name: "the range is off by one",
    file: "src/op/Range.ts",
    text: "fround(fround(Float32.exp2(fround(bitWidth - 1))) - 1)",
    instead: "fround(Float32.exp2(fround(bitWidth - 1)))",
    packs: ["IntegerLaws"],
    law: "a width has its integers"
  },
  {
    name: "narrow ranges are not",
    file: "src/op/Range.ts",
    text: "fround((narrowRange ? 1 : 0) - fround(",
    instead: "fround((narrowRange ? 0 : 0) - fround(",
    packs: ["IntegerLaws"],
    law: "a width has its integers"
  },
  {
    name: "the levels of narrow unsigned ranges are not",
    file: "src/op/Levels.ts",
    text: "{ low: 0, high: 2 * half - 1 - narrow }",
    instead: "{ low: 0, high: 2 * half - 1 }",
    packs: ["IntegerLaws"],
    law: "a width has its integers"
  },
  {
    name: "the step of minifloats is twice too large",
    file: "src/op/Minifloat.ts",
    text: "Math.max(k - 127 - mantissaBitWidth, min)",
    instead: "Math.max(k - 126 - mantissaBitWidth, min)",
    packs: ["MinifloatLaws"],
    law: "every middle goes to the even neighbour"
  },
  {
    name: "subnormals are half as far apart",
    file: "src/op/Minifloat.ts",
    text: "  1 - exponentBias - mantissaBitWidth",
    instead: "  0 - exponentBias - mantissaBitWidth",
    packs: ["MinifloatLaws"],
    law: "every middle goes to the even neighbour"
  },
  {
    name: "the code of NaN is the largest number",
    file: "src/op/Minifloat.ts",
    text: "bitsOf(lowest - 1)",
    instead: "bitsOf(lowest)",
    packs: ["MinifloatLaws"],
    law: "what lies beyond the range"
  },
  {
    name: "codes saturate one too high",
    file: "src/op/MinifloatCode.ts",
    text: "return Math.min(2 ** (e + m), ...reserved) - 1",
    instead: "return Math.min(2 ** (e + m), ...reserved)",
    packs: ["MinifloatLaws"],
    law: "what lies beyond the range"
  },
  {
    name: "negative overflow is none",
    file: "src/op/Minifloat.ts",
    text: "[tf.greater(y, high), tf.less(y, low)]",
    instead: "[tf.greater(y, high), tf.less(y, tf.sub(low, high))]",
    packs: ["MinifloatLaws"],
    law: "what lies beyond the range"
  },
  {
    name: "the zero-point has the wrong sign on the way back",
    file: "src/op/FakeQuant.ts",
    text: "(zeroPoint === 0 ? x : tf.sub(x, zeroPoint))",
    instead: "(zeroPoint === 0 ? x : tf.add(x, zeroPoint))",
    packs: ["IntegerLaws"],
    law: "values of the grid stay"
  },
  {
    name: "fake-quantization passes the gradient beyond its range",
    file: "src/op/FakeQuant.ts",
    text: "    only(inside, dy),\n",
    instead: "    dy,\n",
    packs: ["KernelLaws"],
    law: "its gradients are those of its composition"
  },
  {
    name: "powers of two by a quotient of logarithms",
    file: "src/op/PowerOfTwo.ts",
    text: "value: Host.map(x, Float32.log2),",
    instead: "value: tf.div(tf.log(x), Math.LN2),",
    packs: ["PowerOfTwoLaws"],
    law: "powers of two stay"
  },
  {
    name: "the sign of zero is negative",
    file: "src/op/Sign.ts",
    text: "to[i] = (from[i] as number) >= 0 ? 1 : -1",
    instead: "to[i] = (from[i] as number) > 0 ? 1 : -1",
    packs: ["KernelLaws"],
    law: "a kernel is its composition"
  },
  {
    name: "the scale is not a magnitude",
    file: "src/op/Extremum.ts",
    text: "const key = absolute ? Math.abs(x) : x * sign",
    instead: "const key = x * sign",
    packs: ["BackendLaws"],
    law: "backends agree"
  },
  {
    name: "a maximum along the wrong axis",
    file: "src/op/Extremum.ts",
    text: "    outer: sizeFromShape(front),",
    instead: "    outer: sizeFromShape(back),",
    packs: ["KernelLaws"],
    law: "a kernel is its composition"
  },
  {
    name: "a product's gradient is not transposed back",
    file: "src/op/Linalg.ts",
    text: "product(dy, b, { transposeB: transposeB !== true })",
    instead: "product(dy, b, { transposeB: true })",
    packs: ["KernelLaws"],
    law: "its gradients are those of its composition"
  },
  {
    name: "scales of channels meet the wrong elements",
    file: "src/op/Layout.ts",
    text: "last.size *= size",
    instead: "last.size = size",
    packs: ["KernelLaws"],
    law: "a kernel is its composition"
  },
  {
    name: "means count zeros around the image",
    file: "src/op/Pool.ts",
    text: "return includePad ? kernel : places",
    instead: "return !includePad ? kernel : places",
    packs: ["KernelLaws"],
    law: "a kernel is its composition"
  }
]
