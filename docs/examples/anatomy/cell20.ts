import type { State } from "breve"
import { largest } from "./weights.ts"

/** Tensors by name, from wherever: here a float convolution's `weight` and `bias`. */
export const run = (floatState: State.StateDict) =>
  Object.entries(floatState).map(([name, tensor]) => [name, largest(tensor)] as const)
