/**
 * Replays layers of sequences: recurrent ones and attention.
 */
import type { BackendName, Case, Outcome } from "../Case.ts"
import { unsupported } from "../Case.ts"
import { onAsync } from "./Core.ts"
import * as Attention from "./layers/Attention.ts"
import * as Recurrent from "./layers/Recurrent.ts"

type ByKind = (testCase: Case) => Promise<Outcome> | Outcome

const replayOf = ({ config, inputs }: Case): ByKind => {
  if (/^Quant(RNN|LSTM)$/.test(config.layer))
    return inputs.float_state_dict === undefined ? Recurrent.replay : Recurrent.replayLoad
  if (config.layer === "QuantMultiheadAttention") return Attention.replayMultihead
  if (config.layer === "QuantScaledDotProductAttention") return Attention.replayDotProduct
  return () => unsupported(`nothing replays ${config.layer}`)
}

export const replay = (testCase: Case, backend: BackendName): Promise<Outcome> =>
  onAsync(backend, () => replayOf(testCase)(testCase))
