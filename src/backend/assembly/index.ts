/**
 * breve's own kernels in AssemblyScript, compiled by .build/kernels.mjs to one WebAssembly module that works on the memory of tfjs.
 *
 * No runtime, no allocation, no data: every function gets addresses and lengths. TypeScript does not read these files.
 */
export { absMax, absMaxGrad } from "./absMax"
export { fakeQuant } from "./fakeQuant"
export { fakeQuantGrad } from "./fakeQuantGrad"
