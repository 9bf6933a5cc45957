/**
 * Fragments of minifloat quantizers: formats, standards, and where their scales come from.
 *
 * Room: quant (level 3). Imports: `inject`, `core`, `op`, `./Parts.ts`, `./Rules.ts`.
 */
import { pipe } from "effect"
import * as Clamp from "../core/Clamp.ts"
import * as FloatQuant from "../core/FloatQuant.ts"
import * as FloatScaling from "../core/FloatScaling.ts"
import type * as Injector from "../inject/Injector.ts"
import { make, merge, value } from "../inject/Injector.ts"
import * as Minifloat from "../op/Minifloat.ts"
import * as Rules from "./Rules.ts"

// ---- formats ------------------------------------------------------------------------------------------------

/** One sign, four exponent, three mantissa bits. */
export const Fp8e4m3 = make("Fp8e4m3", { bitWidth: 8, exponentBitWidth: 4, mantissaBitWidth: 3 })
/** One sign, five exponent, two mantissa bits. */
export const Fp8e5m2 = make("Fp8e5m2", { bitWidth: 8, exponentBitWidth: 5, mantissaBitWidth: 2 })
/** One sign, three exponent, two mantissa bits. */
export const Fp6e3m2 = make("Fp6e3m2", { bitWidth: 6, exponentBitWidth: 3, mantissaBitWidth: 2 })
/** One sign, two exponent, three mantissa bits. */
export const Fp6e2m3 = make("Fp6e2m3", { bitWidth: 6, exponentBitWidth: 2, mantissaBitWidth: 3 })
/** One sign, two exponent, one mantissa bit. */
export const Fp4e2m1 = make("Fp4e2m1", { bitWidth: 4, exponentBitWidth: 2, mantissaBitWidth: 1 })

// ---- standards ----------------------------------------------------------------------------------------------

const is = (e: number, m: number, bits: number, exponent: number, mantissa: number): boolean =>
  bits === 8 && e === exponent && m === mantissa

const ocp = make("Ocp", {
  infValues: value(
    ["bitWidth", "exponentBitWidth", "mantissaBitWidth"],
    (bits: number, e: number, m: number): ReadonlyArray<string> | undefined =>
      is(e, m, bits, 5, 2) ? ["00"] : undefined
  ),
  nanValues: value(
    ["bitWidth", "exponentBitWidth", "mantissaBitWidth"],
    (bits: number, e: number, m: number): ReadonlyArray<string> | undefined =>
      is(e, m, bits, 4, 3) ? ["111"] : is(e, m, bits, 5, 2) ? ["01", "11", "10"] : undefined
  ),
  maxAvailableFloat: value(
    ["exponentBitWidth", "mantissaBitWidth", "exponentBias", "infValues", "nanValues"],
    (
      exponentBitWidth: number,
      mantissaBitWidth: number,
      exponentBias: number,
      infValues: ReadonlyArray<string> | undefined,
      nanValues: ReadonlyArray<string> | undefined
    ) => Minifloat.maxAvailableFloat({ exponentBitWidth, mantissaBitWidth, exponentBias, infValues, nanValues })
  )
})
export interface Ocp extends Injector.AttributesOf<typeof ocp> {}
/** The Open Compute Project's eight-bit formats reserve codes for infinity and NaN; its smaller ones do not. */
export const Ocp: Injector.Injector<Ocp> = ocp
const fnuz = make("Fnuz", {
  exponentBias: value(["exponentBitWidth"], (exponentBitWidth: number) => 2 ** (exponentBitWidth - 1))
})
export interface Fnuz extends Injector.AttributesOf<typeof fnuz> {}
/** Finite values and one unsigned zero: no code is reserved, and exponents reach one lower. */
export const Fnuz: Injector.Injector<Fnuz> = fnuz

// The interfaces name what an injector has, so that the declarations of all that is merged from it stay short.

// ---- quantizers of a format to be given ---------------------------------------------------------------------

const base = {
  tensorQuant: FloatQuant.FloatQuant,
  signed: true,
  saturating: true,
  floatToIntImplType: "round",
  scalingPerOutput: "tensor",
  scalingMinVal: 1e-10,
  floatClampImpl: FloatScaling.FloatClamp,
  tensorClampImpl: Clamp.TensorClamp,
  exponentBias: value(["exponentBitWidth"], (exponentBitWidth: number) => 2 ** (exponentBitWidth - 1) - 1)
} as const
const unscaled = { ...base, scalingImpl: undefined, floatScalingImpl: undefined } as const
const scaled = {
  ...base,
  scalingStatsOp: "max",
  restrictScalingType: "fp",
  floatScalingImpl: FloatScaling.FloatScaling
} as const

const weight = pipe(Rules.Weight, merge(make("FloatWeight", unscaled)))
export interface Weight extends Injector.AttributesOf<typeof weight> {}
/** Weights as minifloats, unscaled. */
export const Weight: Injector.Injector<Weight> = weight
const act = pipe(Rules.Activation, merge(make("FloatAct", unscaled)))
export interface Act extends Injector.AttributesOf<typeof act> {}
/** What runs through as minifloats, unscaled. */
export const Act: Injector.Injector<Act> = act
const scaledWeight = pipe(
  Rules.Weight,
  merge(make("ScaledFloatWeight", scaled)),
  merge(make({ scalingImplType: "stats" }))
)
export interface ScaledWeight extends Injector.AttributesOf<typeof scaledWeight> {}
/** Weights as minifloats, scaled by their largest magnitude at each call. */
export const ScaledWeight: Injector.Injector<ScaledWeight> = scaledWeight
const scaledAct = pipe(
  Rules.Activation,
  merge(make("ScaledFloatAct", scaled)),
  merge(make({ scalingImplType: "parameterFromStats", collectStatsSteps: 300 }))
)
export interface ScaledAct extends Injector.AttributesOf<typeof scaledAct> {}
/** What runs through as minifloats, the scale learned from the largest magnitudes of the first training steps. */
export const ScaledAct: Injector.Injector<ScaledAct> = scaledAct

// ---- granularities ------------------------------------------------------------------------------------------

/** One scale per output channel. */
export const PerChannel = make("PerChannel", { scalingPerOutput: "channel" })
