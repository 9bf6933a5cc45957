import { Injector, ScaledInt } from "breve"
import { Law, TensorQuantizerLaws } from "breve/laws"
import { Effect } from "effect"

/** A quantizer of your own. */
const Mine = Injector.let(ScaledInt.Int8ActPerTensorFloat, { bitWidth: 4 })

/** The laws that it breaks: none. In a test runner: `for (const [title, run] of tests) it(title, run)`. */
export const example = Effect.promise(async () => {
  const tests = Law.cases(TensorQuantizerLaws.all, TensorQuantizerLaws.subject(Mine), { runs: 5 })
  const kept = await Promise.allSettled(tests.map(([, run]) => run()))
  return tests.filter((_, i) => kept[i]?.status === "rejected").map(([title]) => title)
})

export const shows = []
