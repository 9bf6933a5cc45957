/**
 * Replays layers: each kind by its own replay.
 */
import type { BackendName, Case, Outcome } from "../Case.ts"
import { unsupported } from "../Case.ts"
import { onAsync } from "./Core.ts"
import * as Weighted from "./layers/Weighted.ts"

type ByKind = (testCase: Case) => Promise<Outcome> | Outcome

/** The replay of a case, by what it is about. */
const replayOf = ({ config }: Case): ByKind => {
  if (/^Quant(Linear|Conv)/.test(config.layer ?? "") && config.op === undefined && config.args !== undefined)
    return Weighted.replay
  return () => unsupported(`nothing replays ${config.op ?? config.layer}`)
}

export const replay = (testCase: Case, backend: BackendName): Promise<Outcome> =>
  onAsync(backend, () => replayOf(testCase)(testCase))
