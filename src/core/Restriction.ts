/**
 * Which values a scale may take, and in which domain it is learned.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts`, `./Rounding.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as PowerOfTwo from "../op/PowerOfTwo.ts"
import * as Brick from "./Brick.ts"
import { type Rounding, RoundSte, rounded } from "./Rounding.ts"

/** `apply` restricts a value of the learned domain; `init` brings a plain value into that domain. */
export interface Restriction extends Brick.Stateless<readonly [v: tf.Tensor], tf.Tensor> {
  readonly init: (v: tf.Tensor) => tf.Tensor
  /** the name of `init`, as printed */
  readonly initLabel: "Identity" | "LogTwo"
}

const powerOfTwo = Brick.shown("PowerOfTwo")
const restriction = (
  label: string,
  children: Readonly<Record<string, Brick.Brick>>,
  apply: (v: tf.Tensor) => tf.Tensor,
  logarithmic = false
): Restriction =>
  Brick.make(
    label,
    children,
    {},
    {
      apply,
      init: logarithmic ? PowerOfTwo.log2 : (v: tf.Tensor) => v,
      initLabel: logarithmic ? ("LogTwo" as const) : ("Identity" as const)
    }
  )

/** Any value. */
export const float: Restriction = restriction("FloatRestrictValue", {}, (v) => v)
/** `y = v`: any value. */
export const FloatRestrictValue = Injector.component("FloatRestrictValue", {}, () => float)

/** `y = 2^v`: any positive value, learned as its logarithm. */
export const LogFloatRestrictValue = Injector.component("LogFloatRestrictValue", {}, () =>
  restriction("LogFloatRestrictValue", { powerOfTwo }, PowerOfTwo.exp2, true)
)

const withRounding = { restrictValueFloatToIntImpl: Injector.optional<Rounding>(RoundSte({})) }

/** `y = round(v)`: whole numbers. */
export const IntRestrictValue = Injector.component(
  "IntRestrictValue",
  withRounding,
  ({ restrictValueFloatToIntImpl: floatToIntImpl }) =>
    restriction("IntRestrictValue", { floatToIntImpl }, (v) => rounded(floatToIntImpl, v))
)

/** `y = 2^round(v)`: powers of two, learned as their logarithm. */
export const PowerOfTwoRestrictValue = Injector.component(
  "PowerOfTwoRestrictValue",
  withRounding,
  ({ restrictValueFloatToIntImpl: floatToIntImpl }) =>
    restriction(
      "PowerOfTwoRestrictValue",
      { floatToIntImpl, powerOfTwo },
      (v) => PowerOfTwo.exp2(rounded(floatToIntImpl, v)),
      true
    )
)
