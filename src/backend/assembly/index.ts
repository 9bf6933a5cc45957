/**
 * breve's own kernels in AssemblyScript, compiled by .build/kernels.mjs to one WebAssembly module that works on the memory of tfjs.
 *
 * No runtime, no allocation, no data: every function gets addresses and lengths. TypeScript does not read these files.
 */
export { absMax, absMaxAlong, absMaxAlongGrad, absMaxGrad } from "./absMax"
export { correlate } from "./convolution"
export { correlateFilter } from "./convolutionGrad"
export { fakeQuant } from "./fakeQuant"
export { fakeQuantGrad } from "./fakeQuantGrad"
export { gather, gatherGrad } from "./gather"
export { gemmScratch } from "./gemm"
export { clear } from "./im2col"
export { matMul } from "./matMul"
export { pool } from "./pool"
export { relu, reluGrad } from "./relu"
export { sumOfRows } from "./rows"
export { repeat, resize } from "./expand"
export { levels } from "./levels"
export { levelsGrad } from "./levelsGrad"
export { atLeast, powerOfTwo } from "./powersOfTwo"
