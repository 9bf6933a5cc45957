/**
 * What kernels are called with: options picked by a number, shapes of a call.
 *
 * Room: laws. Imports: `./KernelLaws.ts`.
 */
import type { Call } from "./KernelLaws.ts"

/** One of several, by a number that picks. */
export const pick = <A>(all: ReadonlyArray<A>, choice: number, by = 1): A =>
  all[Math.floor(choice / by) % all.length] as A

/** The shape of a tensor, of up to four axes. */
export const shapeOf = ({ sizes, choice }: Call): Array<number> => sizes.slice(0, choice % 5)
