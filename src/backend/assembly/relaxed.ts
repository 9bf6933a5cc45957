/**
 * The kernels that gain by fused multiply-adds, compiled a second time with relaxed SIMD: their names replace those of the
 * deterministic module where that is asked for and the engine can run it.
 */
export { matMul } from "./matMul"
