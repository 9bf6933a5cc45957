/**
 * Replays layers: each kind by its own replay.
 */
import type { BackendName, Case, Outcome } from "../Case.ts"
import { unsupported } from "../Case.ts"
import { onAsync } from "./Core.ts"
import * as Activation from "./layers/Activation.ts"
import * as Elementwise from "./layers/Elementwise.ts"
import * as Embedding from "./layers/Embedding.ts"
import * as Failure from "./layers/Failure.ts"
import * as Normalization from "./layers/Normalization.ts"
import * as Truncated from "./layers/Truncated.ts"
import * as Upsample from "./layers/Upsample.ts"
import * as Weighted from "./layers/Weighted.ts"

type ByKind = (testCase: Case) => Promise<Outcome> | Outcome

/** The replay of a case, by what it is about. */
const replayOf = (testCase: Case): ByKind => {
  const { config } = testCase
  if (/^Quant(Linear|Conv)/.test(config.layer ?? "") && config.op === undefined && config.args !== undefined)
    return Weighted.replay
  if (
    /^Quant(Identity|ReLU|HardTanh|Sigmoid|Tanh)$/.test(config.layer ?? "") &&
    config.quantizers?.act !== undefined &&
    config.mode
  )
    return Activation.replay
  if (/^Quant(EltwiseAdd|Cat)$/.test(config.layer ?? "") && config.mode !== undefined) return Elementwise.replay
  if (/^Trunc(Adaptive)?AvgPool2d$/.test(config.layer ?? "")) return Truncated.replay
  if (/^QuantUpsampl/.test(config.layer ?? "")) return Upsample.replay
  if (config.layer === "QuantEmbedding" && config.args !== undefined) return Embedding.replay
  if (config.op === "merge_bn_in") return Normalization.replayMerge
  if (/ScaleBias$/.test(config.layer ?? "")) return Normalization.replay
  if (/^err_/.test(testCase.name)) return Failure.replay
  return () => unsupported(`nothing replays ${config.op ?? config.layer}`)
}

export const replay = (testCase: Case, backend: BackendName): Promise<Outcome> =>
  onAsync(backend, () => replayOf(testCase)(testCase))
