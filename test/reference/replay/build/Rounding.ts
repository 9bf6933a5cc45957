/**
 * Roundings and clamps by the names that the vectors give them.
 */
import * as Clamp from "../../../../src/core/Clamp.ts"
import * as Rounding from "../../../../src/core/Rounding.ts"

const roundings: Readonly<Record<string, () => Rounding.Rounding>> = {
  round: () => Rounding.RoundSte({}),
  floor: () => Rounding.FloorSte({}),
  ceil: () => Rounding.CeilSte({}),
  round_to_zero: () => Rounding.RoundToZeroSte({}),
  dpu: () => Rounding.DPURoundSte({})
}

/** A clamp in place has the value and the gradient of the pure one. */
const clamps: Readonly<Record<string, () => Clamp.Clamp>> = {
  tensor_clamp: () => Clamp.TensorClamp({}),
  tensor_clamp_ste: () => Clamp.TensorClampSte({}),
  tensor_clamp_ste_inplace: () => Clamp.TensorClampSte({})
}

const named = <A>(what: string, all: Readonly<Record<string, () => A>>, name: string): A => {
  const build = Object.hasOwn(all, name) ? all[name] : undefined
  if (build === undefined) throw new Error(`no ${what} "${name}"`)
  return build()
}

/** The rounding that a config's `float_to_int` names. */
export const roundingOf = (name: string): Rounding.Rounding => named("rounding", roundings, name)
/** The clamp that a config's `clamp` names. */
export const clampOf = (name: string): Clamp.Clamp => named("clamp", clamps, name)
