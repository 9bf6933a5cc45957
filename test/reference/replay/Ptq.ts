/**
 * Replays the steps after training: calibration, and rounding layer after layer.
 */
import { Effect, type Scope } from "effect"
import { type Case, type Outcome, type Replay, unsupported } from "../Case.ts"
import { onAsync } from "./Core.ts"
import * as Calibrated from "./ptq/Calibrated.ts"
import * as Corrected from "./ptq/Corrected.ts"
import * as Learned from "./ptq/Learned.ts"
import * as Network from "./ptq/Network.ts"
import * as Normalized from "./ptq/Normalized.ts"
import * as Prepared from "./ptq/Prepared.ts"
import * as Quantized from "./ptq/Quantized.ts"
import * as Rounded from "./ptq/Rounded.ts"

const steps: Readonly<Record<string, (testCase: Case) => Effect.Effect<Outcome, unknown, Scope.Scope>>> = {
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

export const replay: Replay = (testCase, backend) => {
  const { op, model } = testCase.config
  const step = Object.hasOwn(steps, op) ? steps[op] : undefined
  if (step === undefined) return Promise.resolve(unsupported(`no step ${op}`))
  const unknown = Array.isArray(model) ? Network.unknownIn(model) : []
  if (unknown.length > 0) return Promise.resolve(unsupported(`no layer ${unknown.join(", ")}`))
  return onAsync(backend, () => Effect.runPromise(Effect.scoped(step(testCase))))
}
