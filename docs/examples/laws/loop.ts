import { type GradientLaws, Law, TensorQuantizerLaws } from "breve/laws"
import { Int4Act } from "./quantizers.ts"

/** A title and a test for each law: `for (const [title, run] of tests) it(title, run)`, in any test runner. */
export const tests = Law.cases(TensorQuantizerLaws.all, TensorQuantizerLaws.subject(Int4Act), { runs: 50 })

/** What you know better than the declaration: laws to claim, and laws to leave out, each with its reason. */
export const subject: Parameters<(typeof GradientLaws.all)[number]["run"]>[0] = TensorQuantizerLaws.subject(Int4Act, {
  claim: ["sign"],
  disclaim: { requantized: "it sees each tensor once" }
})
