/**
 * The law of backends: an operation has the same bits on each, in value and gradients, or the same numbers to the rounding of sums.
 *
 * Both backends must have started; the one that was selected is selected again afterwards.
 *
 * Room: laws. Imports: fast-check, tfjs, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { type Call, call, difference, type Kernel, type Outcome, outcome } from "./KernelLaws.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** What the laws are about: an operation, and the backends that should agree about it. */
export interface Across extends Omit<Kernel, "kernels"> {
  readonly backends: readonly [one: string, other: string]
}

const absent = ({ backends }: Across): string | undefined => {
  const missing = backends.find((name) => tf.findBackend(name) === null)
  return missing === undefined ? undefined : `the backend ${missing} has not started`
}

/** Runs with a backend selected, then selects the one before. */
const selecting = async <A>(name: string, f: () => A): Promise<A> => {
  const before = tf.getBackend()
  await tf.setBackend(name)
  try {
    return f()
  } finally {
    await tf.setBackend(before)
  }
}

const outcomeOn = ({ make }: Across, backend: string, call: Call): Promise<Outcome> =>
  selecting(backend, () => {
    const found: { outcome?: Outcome } = {}
    tf.tidy(() => {
      const { inputs, op } = make(call)
      found.outcome = outcome(op, inputs, call.seed)
    })
    return found.outcome as Outcome
  })

const about = (statement: Omit<Law.Statement<Across>, "claimed" | "unclaimed">): Law.Statement<Across> => ({
  ...statement,
  claimed: "where both backends have started",
  unclaimed: absent
})

// ---- laws ---------------------------------------------------------------------------------------------------

/** The same numbers, whoever computes them. */
export const agreeing: Law.Law<Across> = Law.forAllAsync(
  about({ name: "backends agree", states: "op(x) and its gradients on one backend = on the other", weight: 2 }),
  { call },
  async (subject, { call }) => {
    const [one, other] = subject.backends
    const [mine, theirs] = [await outcomeOn(subject, one, call), await outcomeOn(subject, other, call)]
    const wrong = difference(mine, theirs, subject.slack)
    return wrong === undefined || `on ${one} ${wrong} as on ${other}`
  }
)

/** Every law of backends. */
export const all: ReadonlyArray<Law.Law<Across>> = [agreeing]
