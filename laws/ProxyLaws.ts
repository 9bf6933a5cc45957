/**
 * The laws of living quantizers: what a reload makes, what it keeps when it fails, and when things are released.
 *
 * A case is a script of a few steps with one proxy; a plain model of it says what the proxy should be after each (`./ProxyScript.ts`).
 *
 * Room: laws. Imports: fast-check, effect, its own room.
 */
import { Effect } from "effect"
import type * as fc from "fast-check"
import * as Law from "./Law.ts"
import {
  join,
  learn,
  type Proxies,
  played,
  reading,
  reload,
  type Seen,
  type Shown,
  type Step,
  script,
  scriptOf
} from "./ProxyScript.ts"

export { type Proxies, proxies, type Step } from "./ProxyScript.ts"

// ---- what a script shows ------------------------------------------------------------------------------------

const shows = (
  statement: Law.Statement<Proxies>,
  steps: fc.Arbitrary<ReadonlyArray<Step>>,
  holds: (shown: Shown) => Law.Holds
): Law.Law<Proxies> =>
  Law.forAllAsync({ weight: 2, ...statement }, { script: steps }, (subject, { script }) =>
    Effect.runPromise(Effect.map(played(subject, script), holds))
  )

const each =
  (holds: (seen: Seen) => Law.Holds) =>
  ({ seen }: Shown): Law.Holds => {
    for (const [i, one] of seen.entries()) {
      const answer = holds(one)
      if (answer !== true) return `after step ${i + 1}: ${answer === false ? "it does not hold" : answer}`
    }
    return true
  }

// ---- laws ---------------------------------------------------------------------------------------------------

/** A reload is a resolution: another quantizer, with the parameters of the present weights, whatever was learned. */
export const anew: Law.Law<Proxies> = shows(
  {
    name: "a reload resolves anew",
    states: "reload(p) => state(p) = state(make(injector(p))), with another quantizer"
  },
  scriptOf(reload, learn),
  each(({ step, value, quantizer, wanted, before }) => {
    if (step.kind !== "reload" || step.fate !== "done") return true
    if (quantizer === before.quantizer) return "it has the quantizer it had"
    return value === wanted.value || `it has ${value}, a new one would have ${wanted.value}`
  })
)

/** A reload or a join that fails, or is interrupted, leaves the quantizer and what it has learned. */
export const kept: Law.Law<Proxies> = shows(
  {
    name: "what fails changes nothing",
    states: "reload(p) or addModule(p) fails or is interrupted => p is as before, to the bit"
  },
  script,
  each(({ step, value, quantizer, before }) => {
    if (!("fate" in step) || step.fate === "done") return true
    if (quantizer !== before.quantizer) return "it has another quantizer"
    return value === before.value || `it has ${value}, and had ${before.value}`
  })
)

/** A quantizer that layers share is about all of them, those that failed to join excepted. */
export const shared: Law.Law<Proxies> = shows(
  {
    name: "a shared quantizer is about all modules",
    states: "addModule(p, m) => state(p) is that of all modules of p and m"
  },
  scriptOf(join, join, reload),
  each(({ value, wanted }) => value === wanted.value || `it has ${value}, of all modules it would be ${wanted.value}`)
)

/** A step of training replaces what was learned, and nothing else. */
export const learned: Law.Law<Proxies> = shows(
  { name: "training replaces what was learned", states: "commit(p, s) => state(p) = s, with the same quantizer" },
  scriptOf(learn, learn, reading),
  each(({ value, quantizer, wanted, before }) => {
    if (quantizer !== before.quantizer) return "it has another quantizer"
    return value === wanted.value || `it has ${value}, not ${wanted.value}`
  })
)

/** Who reads keeps what he reads: neither a reload nor training takes it away. */
export const leased: Law.Law<Proxies> = shows(
  { name: "readers keep what they read", states: "lease(p) stays to the bit until its end" },
  script,
  each(({ robbed, wrongly }) => {
    if (robbed > 0) return `${robbed} readers have lost what they read`
    return wrongly === 0 || `${wrongly} quantizers were released too early or twice`
  })
)

/** Everything that was made is released once: when it was replaced and its last reader has gone, or at the end. */
export const once: Law.Law<Proxies> = shows(
  { name: "released exactly once", states: "in the end, made = released, each once" },
  script,
  ({ seen, made, released }) => {
    const early = seen.findIndex(({ wrongly }) => wrongly > 0)
    if (early !== -1) return `after step ${early + 1} something was released too early or twice`
    return made === released || `${made} were made, ${released} released`
  }
)

/** Nothing is left of any script. */
export const leakless: Law.Law<Proxies> = shows(
  { name: "nothing leaks", states: "tensors and bytes are as before, whatever failed or was interrupted" },
  script,
  ({ tensors, bytes }) => (tensors === 0 && bytes === 0) || `${tensors} tensors, ${bytes} bytes are left`
)

/** Every law of proxies. */
export const all: ReadonlyArray<Law.Law<Proxies>> = [anew, kept, shared, learned, leased, once, leakless]
