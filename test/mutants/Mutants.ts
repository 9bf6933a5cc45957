/**
 * Every mutant.
 */
import * as Core from "./CoreMutants.ts"
import * as Kernels from "./KernelMutants.ts"
import type { Mutant } from "./Mutant.ts"
import * as Ops from "./OpMutants.ts"

export const mutants: ReadonlyArray<Mutant> = [...Ops.mutants, ...Core.mutants, ...Kernels.mutants]
