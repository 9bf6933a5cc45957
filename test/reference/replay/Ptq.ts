/**
 * Replays the steps after training: calibration, and rounding layer after layer.
 */
import { Effect, type Scope } from "effect"
import { type Case, deviation, type Outcome, type Replay, unsupported } from "../Case.ts"
import * as Deviations from "../Deviations.ts"
import { onAsync } from "./Core.ts"
import * as Calibrated from "./ptq/Calibrated.ts"
import * as Corrected from "./ptq/Corrected.ts"
import * as Learned from "./ptq/Learned.ts"
import * as Network from "./ptq/Network.ts"
import * as Normalized from "./ptq/Normalized.ts"
import * as Prepared from "./ptq/Prepared.ts"
import * as Quantized from "./ptq/Quantized.ts"
import * as Rounded from "./ptq/Rounded.ts"

type Step = (testCase: Case) => Effect.Effect<Outcome, unknown, Scope.Scope>

const steps: Readonly<Record<string, Step>> = {
  calibration_mode: Calibrated.replayed,
  bias_correction_mode: Corrected.replayed,
  norm_correction_mode: Normalized.replayed,
  learned_round: Learned.replayed,
  gptq: Rounded.replayed,
  gpfq: Rounded.replayed,
  qronos: Rounded.replayed,
  magr: Rounded.replayed,
  activation_equalization_mode: Prepared.replayed,
  "preprocess_for_quantize + quantize": Quantized.replayed,
  layerwise_quantize: Quantized.replayed,
  GraphChannelSplitting: Prepared.replayed,
  EqualizeGraph: Prepared.replayed,
  MergeBatchNorm: Prepared.replayed,
  MergeLnAffine: Prepared.replayed,
  ClipFloatWeights: Prepared.replayed
}

/** A case whose hard tanhs do not clip where nothing is quantized. */
const withoutClip = (testCase: Case): Case => {
  const model = testCase.config.model.map((written: Network.Written) =>
    written.layer === "QuantHardTanh" ? { ...written, layer: "QuantIdentity" } : written
  )
  return { ...testCase, config: { ...testCase.config, model } }
}

/** What a case comes to; where it differs and has hard tanhs, whether their clips are all that makes the difference. */
const outcomeOf = (step: Step, testCase: Case): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const outcome = yield* step(testCase)
    const { model } = testCase.config
    const clips = Array.isArray(model) && model.some(({ layer }) => layer === "QuantHardTanh")
    if (outcome.kind !== "failed" || !clips) return outcome
    const { kind } = yield* step(withoutClip(testCase))
    const rule = Deviations.explaining(testCase, testCase.outputs, { withoutClip: kind, differing: ["clip"] })
    return rule === undefined ? outcome : deviation(rule.id)
  })

export const replay: Replay = (testCase, backend) => {
  const { op, model } = testCase.config
  const step = Object.hasOwn(steps, op) ? steps[op] : undefined
  if (step === undefined) return Promise.resolve(unsupported(`no step ${op}`))
  const unknown = Array.isArray(model) ? Network.unknownIn(model) : []
  if (unknown.length > 0) return Promise.resolve(unsupported(`no layer ${unknown.join(", ")}`))
  return onAsync(backend, () => Effect.runPromise(Effect.scoped(outcomeOf(step, testCase))))
}
