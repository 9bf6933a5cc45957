/**
 * A certificate in words: a table, and what it comes to.
 *
 * Room: cli (level 6). Imports: effect, `exchange` types, `./Progress.ts`.
 */
import { Data } from "effect"
import type { Certificate, Comparison } from "../exchange/Certificate.ts"
import * as Progress from "./Progress.ts"

/** A file computes something else than what was trained. */
export class NotCertified extends Data.TaggedError("NotCertified")<{
  readonly file: string
  readonly unexplained: number
  readonly inputs: number
}> {
  override get message(): string {
    return `${this.file} is not certified: of ${this.inputs} inputs ${this.unexplained} have answers that no tie explains; export it again from the state that it should be of`
  }
}

/** How many inputs have answers that nothing explains. */
const unexplainedIn = ({ comparisons }: Certificate): number =>
  Math.max(...comparisons.map(({ unexplained }) => unexplained.length))

/** The failure of a certificate that was not given. */
export const failureOf = (certificate: Certificate): NotCertified =>
  new NotCertified({
    file: certificate.model.file,
    unexplained: unexplainedIn(certificate),
    inputs: certificate.inputs.count
  })

/** `5000 / 5000`, with a thin space between thousands. */
const of = (part: number, all: number): string => `${part} / ${all}`

/** What a comparison found, as cells for `headers`. */
export const cells = ({
  outputs,
  equal,
  largestDifference,
  differingInputs,
  explained,
  sameClass,
  classes
}: Comparison): ReadonlyArray<string> => [
  of(equal, outputs),
  Number.isInteger(largestDifference) ? `${largestDifference}` : largestDifference.toExponential(1),
  differingInputs === 0 ? "none" : of(explained, differingInputs),
  of(sameClass, classes)
]

export const headers = ["equal outputs", "most apart", "explained by ties", "same class"]

/** What the integers are compared with. */
export const short = ({ between }: Comparison): string =>
  between[0] === "the file in the runtime" ? "the file" : "training"

const outputsOf = (outputs: Certificate["outputs"]): string =>
  "tolerance" in outputs
    ? `floats, equal to within ${outputs.tolerance} of the largest; no integers: ${outputs.withoutIntegers}`
    : `integers from ${outputs.low} to ${outputs.high}`

/** All of it: what was run, on what, the comparisons, and the verdict. */
export const text = (certificate: Certificate): string => {
  const { model, runtime, inputs, outputs, comparisons, certified, rule } = certificate
  const rows = comparisons.map((one) => [`${one.between[0]} and ${one.between[1]}`, ...cells(one)])
  const verdict = certified
    ? "certified"
    : `NOT certified: ${unexplainedIn(certificate)} inputs have answers that no tie explains`
  return [
    `${model.file}  ${model.dialect}, opset ${model.opset}, ${model.bytes} bytes, SHA-256 ${model.sha256}`,
    `run in ${runtime.name} ${runtime.version} on ${inputs.count} inputs [${inputs.shape.join(", ")}], SHA-256 ${inputs.sha256}`,
    `outputs [${outputs.shape.join(", ")}], ${outputsOf(outputs)}`,
    "",
    Progress.table(["compared", ...headers], rows),
    "",
    rule,
    verdict
  ].join("\n")
}
