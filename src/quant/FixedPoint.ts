/**
 * Integer quantizers whose scale is a power of two.
 *
 * Room: quant (level 3). Imports: `inject`, `./Parts.ts`, `./ScaledInt.ts`. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import { merge, named } from "../inject/Injector.ts"
import * as Parts from "./Parts.ts"
import * as ScaledInt from "./ScaledInt.ts"

/** 8-bit signed narrow-range weights, one power-of-two scale per tensor. */
export const Int8WeightPerTensorFixedPoint = pipe(
  ScaledInt.Int8WeightPerTensorFloat,
  merge(Parts.PerTensorPoTScaling8bit),
  named("Int8WeightPerTensorFixedPoint")
)

/** 8-bit signed narrow-range weights, one power-of-two scale per output channel. */
export const Int8WeightPerChannelFixedPoint = pipe(
  ScaledInt.Int8WeightPerChannelFloat,
  merge(Parts.PerChannelPoTScaling8bit),
  named("Int8WeightPerChannelFixedPoint")
)

/** As `Int8WeightPerTensorFixedPoint`, learned from the scale with the smallest squared error. */
export const Int8WeightPerTensorFixedPointMSE = pipe(
  Int8WeightPerTensorFixedPoint,
  merge(Parts.MSESymmetricScale),
  named("Int8WeightPerTensorFixedPointMSE")
)

/** As `Int8WeightPerChannelFixedPoint`, learned from the scales with the smallest squared error. */
export const Int8WeightPerChannelFixedPointMSE = pipe(
  Int8WeightPerChannelFixedPoint,
  merge(Parts.MSESymmetricScale),
  named("Int8WeightPerChannelFixedPointMSE")
)

/** 8-bit signed activations, one learned power-of-two scale per tensor. */
export const Int8ActPerTensorFixedPoint = pipe(
  ScaledInt.Int8ActPerTensorFloat,
  merge(Parts.PerTensorPoTScaling8bit),
  named("Int8ActPerTensorFixedPoint")
)

/** As `Int8ActPerTensorFixedPoint`, beginning with the smallest squared error. */
export const Int8ActPerTensorFixedPointMSE = pipe(
  Int8ActPerTensorFixedPoint,
  merge(Parts.MSESymmetricScale),
  named("Int8ActPerTensorFixedPointMSE")
)

/** As `Int8ActPerTensorFixedPoint`, beginning as given by `minVal` and `maxVal`. */
export const Int8ActPerTensorFixedPointMinMaxInit = pipe(
  ScaledInt.Int8ActPerTensorFloatMinMaxInit,
  merge(Parts.PerTensorPoTScaling8bit),
  named("Int8ActPerTensorFixedPointMinMaxInit")
)

/** 8-bit unsigned activations, one learned power-of-two scale per tensor. */
export const Uint8ActPerTensorFixedPoint = pipe(
  Int8ActPerTensorFixedPoint,
  merge(Parts.UintQuant),
  named("Uint8ActPerTensorFixedPoint")
)

/** As `Uint8ActPerTensorFixedPoint`, beginning with the smallest squared error. */
export const Uint8ActPerTensorFixedPointMSE = pipe(
  Uint8ActPerTensorFixedPoint,
  merge(Parts.MSESymmetricScale),
  named("Uint8ActPerTensorFixedPointMSE")
)

/** As `Uint8ActPerTensorFixedPoint`, beginning as given by `maxVal`. */
export const Uint8ActPerTensorFixedPointMaxInit = pipe(
  Int8ActPerTensorFixedPointMinMaxInit,
  merge(Parts.UintQuant),
  named("Uint8ActPerTensorFixedPointMaxInit")
)

/** 8-bit biases with a power-of-two scale of their own. */
export const Int8BiasPerTensorFixedPointInternalScaling = pipe(
  ScaledInt.Int8BiasPerTensorFloatInternalScaling,
  merge(Parts.PerTensorPoTScaling8bit),
  named("Int8BiasPerTensorFixedPointInternalScaling")
)
