/**
 * Which values a scale may take, and in which domain it is learned.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts`, `./Rounding.ts`, `./TensorQuantizer.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Pointwise from "../op/Pointwise.ts"
import * as PowerOfTwo from "../op/PowerOfTwo.ts"
import * as Brick from "./Brick.ts"
import { type Rounding, RoundSte, rounded } from "./Rounding.ts"
import * as TensorQuantizer from "./TensorQuantizer.ts"

/** `apply` restricts a value of the learned domain; `init` brings a plain value into that domain. */
export interface Restriction extends Brick.Stateless<readonly [v: tf.Tensor], tf.Tensor> {
  readonly init: (v: tf.Tensor) => tf.Tensor
  /** the name of `init`, as printed */
  readonly initLabel: "Identity" | "LogTwo"
  /** `apply` for numbers on the host, of a restriction that looks at each number alone; absent: there is none */
  readonly steps?: ReadonlyArray<Pointwise.Step>
  /** `apply(init(v))` in one pass, of a restriction that has it */
  readonly whole?: (v: tf.Tensor) => tf.Tensor
}

const powerOfTwo = Brick.shown("PowerOfTwo")
const restriction = (
  label: string,
  children: Readonly<Record<string, Brick.Brick>>,
  apply: (v: tf.Tensor) => tf.Tensor,
  steps: ReadonlyArray<Pointwise.Step> | undefined,
  logarithmic = false
): Restriction =>
  Brick.make(
    label,
    children,
    {},
    {
      ...(steps !== undefined && { steps }),
      apply,
      init: logarithmic ? PowerOfTwo.log2 : (v: tf.Tensor) => v,
      initLabel: logarithmic ? ("LogTwo" as const) : ("Identity" as const)
    }
  )

/** Any value: the restriction where none is declared. It has no state, so that one serves all. */
export const float: Restriction = restriction("FloatRestrictValue", {}, (v) => v, [])
/**
 * Any value.
 *
 * - formula:  `R(v) = v`, `I(v) = v`
 * - shapes:   `v [...d] -> y [...d]`
 * - gradient: `dv = dy`
 * - errors:   none
 * - source:   Brevitas, core/restrict_val.py
 */
export const FloatRestrictValue = Injector.component("FloatRestrictValue", {}, () => float)

/**
 * Any positive value, learned as its logarithm.
 *
 * - formula:  `R(v) = 2^v`, `I(v) = log2 v`
 * - shapes:   `v [...d] -> y [...d]`
 * - gradient: `dv = dy * y * ln 2`
 * - errors:   none; NaN passes
 * - source:   Brevitas, core/restrict_val.py
 */
export const LogFloatRestrictValue = Injector.component("LogFloatRestrictValue", {}, () =>
  restriction("LogFloatRestrictValue", { powerOfTwo }, PowerOfTwo.exp2, [Pointwise.exp2], true)
)

/** A rounding as steps, if it is one of those. */
const roundingSteps = ({ kind }: Rounding): ReadonlyArray<Pointwise.Step> | undefined =>
  kind === undefined || kind === "toZero" ? undefined : [Pointwise.roundings[kind]]

const withRounding = { restrictValueFloatToIntImpl: Injector.optional<Rounding>(RoundSte({})) }

/**
 * Whole numbers.
 *
 * - formula:  `R(v) = round(v)`, `I(v) = v`
 * - shapes:   `v [...d] -> y [...d]`
 * - gradient: `dv = dy` (straight-through)
 * - errors:   none; NaN passes
 * - source:   Brevitas, core/restrict_val.py
 */
export const IntRestrictValue = Injector.component(
  "IntRestrictValue",
  withRounding,
  ({ restrictValueFloatToIntImpl: floatToIntImpl }) =>
    restriction(
      "IntRestrictValue",
      { floatToIntImpl },
      (v) => rounded(floatToIntImpl, v),
      roundingSteps(floatToIntImpl)
    )
)

/**
 * Powers of two, learned as their logarithm.
 *
 * - formula:  `R(v) = 2^round(v)`, `I(v) = log2 v`
 * - shapes:   `v [...d] -> y [...d]`
 * - gradient: `dv = dy * y * ln 2` (straight through the rounding)
 * - errors:   none; NaN passes
 * - source:   Brevitas, core/restrict_val.py
 */
export const PowerOfTwoRestrictValue = Injector.component(
  "PowerOfTwoRestrictValue",
  withRounding,
  ({ restrictValueFloatToIntImpl: floatToIntImpl }): Restriction => {
    const steps = roundingSteps(floatToIntImpl)
    const { kind } = floatToIntImpl
    const made = restriction(
      "PowerOfTwoRestrictValue",
      { floatToIntImpl, powerOfTwo },
      (v) => PowerOfTwo.exp2(rounded(floatToIntImpl, v)),
      steps === undefined ? undefined : [...steps, Pointwise.exp2],
      true
    )
    return kind === undefined || kind === "toZero" ? made : { ...made, whole: (v) => PowerOfTwo.near(v, kind) }
  }
)

/**
 * What another quantizer makes of a value: the scales are quantized themselves. The inner quantizer sees each tensor of scales
 * as a first training batch: it starts from its initial parameters and memory at every call, and learns nothing.
 *
 * - formula:  `R(v) = quantizer(v).value`, `I(v) = v`
 * - shapes:   `v [...d] -> y [...scaleDequantizedShape]`, or `[...d]` without one
 * - gradient: that of the inner quantizer
 * - errors:   none; a scale that the inner quantizer rounds to 0 is caught by the minimum of the outer scaling
 * - source:   Brevitas, core/restrict_val.py
 *
 * @since 0.2.0
 */
export const QuantRestrictValue = Injector.component(
  "QuantRestrictValue",
  {
    restrictValueFloatToIntImpl: Injector.required<TensorQuantizer.TensorQuantizer>(),
    /** the shape that quantized scales are brought into; absent: as they came */
    scaleDequantizedShape: Injector.optional<ReadonlyArray<number> | undefined>(undefined)
  },
  ({ restrictValueFloatToIntImpl: floatToIntImpl, scaleDequantizedShape: shape }) =>
    restriction(
      "QuantRestrictValue",
      { floatToIntImpl },
      (v) => {
        const { value } = TensorQuantizer.quantize(floatToIntImpl, v, true)
        return shape === undefined ? value : tf.reshape(value, [...shape])
      },
      undefined
    )
)
