/**
 * Replays the vectors of the ready-made quantizers: how they resolve, and what they do to weights, biases, activations and
 * quantized inputs. Each kind of case has a file in `quantizers/`.
 */
import { type Case, type Outcome, type Replay, unsupported } from "../Case.ts"
import { on } from "./Core.ts"
import { replayActivation } from "./quantizers/Activation.ts"
import { replayBias } from "./quantizers/Bias.ts"
import { replayResolve } from "./quantizers/Resolve.ts"
import { replayTrunc } from "./quantizers/Trunc.ts"
import { replayShared, replayWeight } from "./quantizers/Weight.ts"

const kinds: Readonly<Record<string, (testCase: Case) => Outcome>> = {
  resolve: replayResolve,
  weight: replayWeight,
  weight_shared: replayShared,
  activation: replayActivation,
  bias: replayBias,
  trunc: replayTrunc
}

export const replay: Replay = async (testCase, backend) => {
  const { kind } = testCase.config
  const run = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  return run === undefined ? unsupported(`no case of the kind "${kind}" is replayed`) : on(backend, () => run(testCase))
}
