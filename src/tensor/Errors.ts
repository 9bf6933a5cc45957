/**
 * Every expected failure of breve, as tagged errors: each names what went wrong, where, and the repair.
 *
 * Room: tensor (level 0). Imports: effect's `Data` only.
 */
import { Data } from "effect"

/** Names, nearest first, that could have been meant by `name`: for "did you mean" in messages. */
export const nearest = (name: string, known: Iterable<string>): string | undefined => {
  const limit = Math.max(1, Math.floor(name.length / 3))
  const ranked = [...known]
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= limit && candidate !== name)
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
  return ranked[0]?.candidate
}

/** Number of single-character insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
const editDistance = (a: string, b: string): number => {
  const rows: Array<Array<number>> = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const above = rows[i - 1] ?? []
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(
        Math.min(
          (above[j] ?? 0) + 1,
          (row[j - 1] ?? 0) + 1,
          (above[j - 1] ?? 0) + (same ? 0 : 1),
          swap ? (rows[i - 2]?.[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
        )
      )
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] ?? 0
}

const hint = (nearestName: string | undefined): string =>
  nearestName === undefined ? "" : `; did you mean "${nearestName}"?`
const trail = (path: ReadonlyArray<string>): string => (path.length === 0 ? "" : ` (${path.join(" > ")})`)

// ---- wiring -------------------------------------------------------------------------------------------------

/** An attribute that a resolution needs is not in the injector. */
export class MissingDependency<const out N extends string = string> extends Data.TaggedError("MissingDependency")<{
  readonly injector: string
  readonly attribute: N
  /** who asked: from the requested attribute down to the one that needs the missing name */
  readonly path: ReadonlyArray<string>
  readonly nearest: string | undefined
}> {
  override get message(): string {
    const asked = this.path.length === 0 ? "" : `, needed by ${this.path.join(" > ")}`
    return `${this.injector} has no attribute "${this.attribute}"${asked}${this.nearest === undefined ? "; add it with let or merge" : hint(this.nearest)}`
  }
}

/** An attribute needs itself; the first and the last name of the path are the same. */
export class CircularDependency extends Data.TaggedError("CircularDependency")<{
  readonly injector: string
  readonly path: ReadonlyArray<string>
}> {
  override get message(): string {
    return `${this.injector} has a circular dependency${trail(this.path)}; break the circle by overriding one of these names.`
  }
}

/** A constructor or a value function threw. */
export class ConstructionFailed extends Data.TaggedError("ConstructionFailed")<{
  readonly injector: string
  readonly attribute: string
  readonly path: ReadonlyArray<string>
  readonly cause: unknown
}> {
  override get message(): string {
    const cause = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `${this.injector} failed to build "${this.attribute}"${trail(this.path)}: ${cause}`
  }
}

/** An attribute is there but cannot serve: a branch without a case for its flag, a link that leads nowhere. */
export class InvalidDependency extends Data.TaggedError("InvalidDependency")<{
  readonly injector: string
  readonly attribute: string
  readonly path: ReadonlyArray<string>
  readonly reason: string
}> {
  override get message(): string {
    return `${this.injector} cannot use "${this.attribute}"${trail(this.path)}: ${this.reason}`
  }
}

export type ResolutionError = MissingDependency | CircularDependency | ConstructionFailed | InvalidDependency

// ---- places -------------------------------------------------------------------------------------------------

/** What an error says of the place in a model where it arose. */
export interface Located {
  /** the path of the layer, and of its quantizer if it is about one: `"block1.conv.weightQuant"`; absent: not in a model */
  readonly layer?: string | undefined
}
const at = ({ layer }: Located): string => (layer === undefined ? "" : `${layer}: `)

/** The same error with the name of the layer around it before its path. */
export const within = <E extends Error & Located>(error: E, layer: string): E => {
  const path = error.layer === undefined ? layer : `${layer}.${error.layer}`
  return Reflect.construct(error.constructor, [{ ...error, layer: path }]) as E
}

// ---- layers, state ------------------------------------------------------------------------------------------

/** Options of a layer or a brick that cannot be. */
export class InvalidOptions extends Data.TaggedError("InvalidOptions")<{
  readonly what: string
  readonly option: string
  readonly reason: string
  /** the path of the layer within its model */
  readonly layer?: string | undefined
}> {
  override get message(): string {
    return `${at(this)}${this.what}: option "${this.option}" ${this.reason}`
  }
}

/** A tensor of one shape stands where another is needed. */
export class ShapeMismatch extends Data.TaggedError("ShapeMismatch")<{
  readonly what: string
  readonly expected: string
  readonly actual: ReadonlyArray<number>
  /** the path of the layer within its model */
  readonly layer?: string | undefined
}> {
  override get message(): string {
    return `${at(this)}${this.what}: expected shape ${this.expected}, got [${this.actual.join(", ")}]`
  }
}

/** A strict load lacks keys; nothing was changed. */
export class MissingKeys extends Data.TaggedError("MissingKeys")<{
  readonly keys: ReadonlyArray<string>
  readonly policy: string
  /** for each key, what the state has that nothing takes and that may be it under another name */
  readonly nearest?: ReadonlyArray<string | undefined>
}> {
  override get message(): string {
    const named = this.keys.map((key, i) => `"${key}"${this.nearest?.[i] ? ` (it has "${this.nearest[i]}")` : ""}`)
    const repair =
      this.policy === "float"
        ? 'Only what quantizers learn may be missing; use policy "report" to load what fits.'
        : 'Use policy "float" to let quantizers initialise themselves.'
    return `the state lacks ${named.join(", ")} (policy "${this.policy}"); nothing was loaded. ${repair}`
  }
}

/** A strict load has keys that nothing takes; nothing was changed. */
export class UnexpectedKeys extends Data.TaggedError("UnexpectedKeys")<{
  readonly keys: ReadonlyArray<string>
  readonly policy: string
  readonly nearest: ReadonlyArray<string | undefined>
}> {
  override get message(): string {
    const named = this.keys.map((key, i) => `"${key}"${this.nearest[i] ? ` (near "${this.nearest[i]}")` : ""}`)
    return `nothing takes ${named.join(", ")} (policy "${this.policy}"); nothing was loaded. Use policy "report" to ignore them.`
  }
}

/** A quantized value was asked for whose quantizer does not say whether it is signed. */
export class UnknownSign extends Data.TaggedError("UnknownSign")<{ readonly injector: string }> {
  override get message(): string {
    return `${this.injector} does not say whether its values are signed; add { signed: true } or { signed: false } with let.`
  }
}

/** A quantizer depends on the format of something else, which was not handed to it. */
export class MissingInput extends Data.TaggedError("MissingInput")<{
  readonly quantizer: string
  /** the parts of the format that are missing */
  readonly missing: ReadonlyArray<string>
  /** the path of the layer within its model */
  readonly layer?: string | undefined
}> {
  override get message(): string {
    return `${at(this)}${this.quantizer} needs ${this.missing.join(", ")} from outside; hand it a quant tensor (a layer's input with an input quantizer, or from a layer with returnQuantTensor), or choose a quantizer with a scale of its own.`
  }
}

// ---- training -----------------------------------------------------------------------------------------------

/** A training step gave a number that is none; it was not taken, the model is as the step before left it. */
export class NonFiniteLoss extends Data.TaggedError("NonFiniteLoss")<{
  /** the step that was not taken; the first one is 1 */
  readonly step: number
  readonly loss: number
  /** the first tensor that is not finite */
  readonly where: string
}> {
  override get message(): string {
    const what = Number.isFinite(this.loss) ? "the update" : `the loss (${this.loss})`
    return `step ${this.step}: ${what} is not finite, first in ${this.where}; the model is as step ${this.step - 1} left it. Check that tensor, or lower the learning rate or clip the gradients.`
  }
}

/** A checkpoint is damaged, or of another model or optimiser; nothing was changed. */
export class InvalidCheckpoint extends Data.TaggedError("InvalidCheckpoint")<{
  /** the part of the checkpoint that does not fit */
  readonly part: string
  readonly reason: string
}> {
  override get message(): string {
    return `the checkpoint's ${this.part} ${this.reason}; nothing was restored.`
  }
}

// ---- quant tensors ------------------------------------------------------------------------------------------

/** One operand of an operation on quant tensors: who made it, and what it has where the others have something else. */
export interface Side {
  readonly origin: string | undefined
  readonly has: string
}
const sidesOf = (sides: ReadonlyArray<Side>): string =>
  sides
    .map(({ origin, has }, i) => `${origin === undefined ? `operand ${i + 1}` : `"${origin}"`} has ${has}`)
    .join(", ")

/** Quantized values of different scales stand where they must share one. */
export class ScaleMismatch extends Data.TaggedError("ScaleMismatch")<{
  readonly operation: string
  /** the operands in order, with their scales, shortened */
  readonly sides: ReadonlyArray<Side>
  /** the path of the layer within its model */
  readonly layer?: string | undefined
}> {
  override get message(): string {
    return `${at(this)}${this.operation}: the scales differ: ${sidesOf(this.sides)}; let the operands share one quantizer, or put one onto the other's grid with alignScales.`
  }
}

/** Quantized values stand together whose formats differ in more than the scale. */
export class FormatMismatch extends Data.TaggedError("FormatMismatch")<{
  readonly operation: string
  readonly property: "bit width" | "sign" | "zero-point" | "kind" | "minifloat format"
  readonly sides: ReadonlyArray<Side>
  /** the path of the layer within its model */
  readonly layer?: string | undefined
}> {
  override get message(): string {
    return `${at(this)}${this.operation}: the operands differ in their ${this.property}: ${sidesOf(this.sides)}; let them share one quantizer.`
  }
}

/** A product or quotient of integers with a zero-point, which has no single zero-point itself. */
export class UnsupportedZeroPoint extends Data.TaggedError("UnsupportedZeroPoint")<{
  readonly operation: string
  readonly sides: ReadonlyArray<Side>
  /** the path of the layer within its model */
  readonly layer?: string | undefined
}> {
  override get message(): string {
    return `${at(this)}${this.operation}: an operand has a zero-point: ${sidesOf(this.sides)}; use a quantizer without one, or plain tensors (QuantTensor.dequantized).`
  }
}

/** A value does not lie on the grid that it says it lies on. */
export class InvalidQuantTensor extends Data.TaggedError("InvalidQuantTensor")<{
  readonly origin: string | undefined
  readonly reason: string
}> {
  override get message(): string {
    return `${this.origin === undefined ? "the quant tensor" : `"${this.origin}"`} has no integers of its format: ${this.reason}; quantize the value again, or take the nearest integers with QuantTensor.saturatedInt.`
  }
}

// ---- the world outside --------------------------------------------------------------------------------------

/** A backend of TensorFlow.js could not be started. */
export class BackendUnavailable extends Data.TaggedError("BackendUnavailable")<{
  readonly backend: string
  readonly reason: string
}> {
  override get message(): string {
    return `the TensorFlow.js backend "${this.backend}" is not available: ${this.reason}`
  }
}

/** A file does not hold what it should. */
export class MalformedFile extends Data.TaggedError("MalformedFile")<{
  readonly file: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.file}: ${this.reason}`
  }
}

/** A stored tensor has values that the wanted element type does not have, or a type that nothing here reads. */
export class UnreadableValues extends Data.TaggedError("UnreadableValues")<{
  readonly what: string
  readonly dtype: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.what} (${this.dtype}) ${this.reason}; convert it to float32 before saving it.`
  }
}

/** A file or directory could not be written; what was there before is still there. */
export class OutputFailed extends Data.TaggedError("OutputFailed")<{
  readonly file: string
  readonly reason: string
}> {
  override get message(): string {
    return `cannot write ${this.file}: ${this.reason}`
  }
}

// ---- export -------------------------------------------------------------------------------------------------

/** A part of a model has no equivalent in the form it is to be written in; nothing was written. */
export class NotExportable extends Data.TaggedError("NotExportable")<{
  /** what it was to become: "QCDQ", "QONNX", "an integer network", or any of them */
  readonly target: string
  /** the path of the layer; empty: the model as a whole */
  readonly layer: string
  readonly kind: string
  /** why, and what helps */
  readonly reason: string
}> {
  override get message(): string {
    const where = this.layer === "" ? this.kind : `${this.layer} (${this.kind})`
    return `${where} cannot be exported as ${this.target}: ${this.reason}`
  }
}

/** The sums of a layer can leave the accumulators of the device. */
export class AccumulatorOverflow extends Data.TaggedError("AccumulatorOverflow")<{
  readonly layer: string
  /** signed bits that the sums need in the worst case */
  readonly bits: number
  readonly available: number
}> {
  override get message(): string {
    return `${this.layer}: sums need ${this.bits} bits in the worst case, and an accumulator has ${this.available}; use fewer bits for weights or inputs, or a quantizer that knows its accumulator (A2Q).`
  }
}

/** A runtime for exported files could not be loaded. */
export class RuntimeUnavailable extends Data.TaggedError("RuntimeUnavailable")<{
  readonly runtime: string
  /** why, and what helps */
  readonly reason: string
}> {
  override get message(): string {
    return `the runtime ${this.runtime} is not available: ${this.reason}`
  }
}

/** A runtime did not take a file, or failed to run it. */
export class RuntimeFailed extends Data.TaggedError("RuntimeFailed")<{
  readonly runtime: string
  readonly action: "load" | "run"
  readonly reason: string
}> {
  override get message(): string {
    return `${this.runtime} cannot ${this.action} the model: ${this.reason}`
  }
}

/** A file is not what a model would be exported as: other inputs or outputs. */
export class ForeignModel extends Data.TaggedError("ForeignModel")<{
  readonly file: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.file} was not exported from this model: ${this.reason}; give the model that it is of, or export it again`
  }
}

// ---- after training -----------------------------------------------------------------------------------------

/** A step needs samples of what runs through a model, and got none. */
export class NoCalibrationData extends Data.TaggedError("NoCalibrationData")<{
  readonly step: string
}> {
  override get message(): string {
    return `${this.step} got no batches; give it a stream of at least one batch, which can be run more than once.`
  }
}

/** What reaches a part of a model is not finite; nothing was changed. */
export class NonFiniteActivations extends Data.TaggedError("NonFiniteActivations")<{
  readonly step: string
  /** the path of the layer or quantizer */
  readonly layer: string
}> {
  override get message(): string {
    return `${this.step}: what reaches ${this.layer || "the model"} holds NaN or infinite values; look for them in the batches and in the weights of the layers before it.`
  }
}

/** The covariance of a layer's inputs has no inverse; nothing was changed. */
export class SingularHessian extends Data.TaggedError("SingularHessian")<{
  readonly step: string
  readonly layer: string
  /** which input, of the layer's weight as a matrix */
  readonly row: number
}> {
  override get message(): string {
    return `${this.step}: the inputs of ${this.layer || "the model"} depend on each other (input ${this.row}), so their covariance has no inverse; give more samples than the layer has inputs, or more damping.`
  }
}

/** A weight holds NaN or infinities. */
export class NonFiniteWeights extends Data.TaggedError("NonFiniteWeights")<{
  readonly step: string
  readonly layer: string
}> {
  override get message(): string {
    return `${this.step}: the weight or bias of ${this.layer || "the model"} holds NaN or infinities; load a finite state first`
  }
}

/** What a model does between its layers cannot be seen. */
export class UnknownStructure extends Data.TaggedError("UnknownStructure")<{
  readonly step: string
  readonly layer: string
}> {
  override get message(): string {
    const where = this.layer === "" ? "what the model answers" : `the input of ${this.layer}`
    return `${this.step}: ${where} is computed between the layers of the model; make a layer of that (Model.stateless, or an addition of quantEltwiseAdd)`
  }
}

/** The scale of a layer's weights follows the weights that a step would change; nothing was changed. */
export class ScaleNotFixed extends Data.TaggedError("ScaleNotFixed")<{
  readonly step: string
  readonly layer: string
  readonly quantizer: string
}> {
  override get message(): string {
    return `${this.step}: ${this.quantizer} scales ${this.layer || "the model"} by statistics of the weights that are to be changed; fix them with weight: { scalingImplType: "parameterFromStats" }.`
  }
}

/** A model has no layer, or quantizer, of this name that the step could work on. */
export class UnknownLayer extends Data.TaggedError("UnknownLayer")<{
  readonly step: string
  readonly layer: string
  readonly known: ReadonlyArray<string>
  readonly nearest: string | undefined
}> {
  override get message(): string {
    const hint =
      this.nearest === undefined ? `it has ${this.known.join(", ") || "none"}` : `did you mean ${this.nearest}?`
    return `${this.step}: the model has no "${this.layer}" that it could work on; ${hint}`
  }
}

/** A recipe for quantizing cannot be followed, for what it says or for the model that it is to be used on; nothing was changed. */
export class InvalidRecipe extends Data.TaggedError("InvalidRecipe")<{
  readonly recipe: string
  /** where in the recipe: `quantizers[1].match` */
  readonly place: string
  readonly reason: string
  readonly nearest: string | undefined
}> {
  override get message(): string {
    const place = this.place === "" ? "" : `, ${this.place}`
    return `recipe ${this.recipe}${place}: ${this.reason}${hint(this.nearest)}`
  }
}

/** Learning how to round came to a loss that is not finite; nothing was changed. */
export class LearningDiverged extends Data.TaggedError("LearningDiverged")<{
  readonly step: string
  /** the path of the layer or block */
  readonly layer: string
  /** from 1 */
  readonly iteration: number
}> {
  override get message(): string {
    return `${this.step}: the loss of ${this.layer || "the model"} is not finite from iteration ${this.iteration} on; lower the learning rate, of the scales first if they are learned.`
  }
}

/** A layer cannot keep to the accumulator that is asked for; nothing was changed. */
export class AccumulatorUnfit extends Data.TaggedError("AccumulatorUnfit")<{
  readonly step: string
  readonly layer: string
  /** what is wrong, and what helps */
  readonly reason: string
}> {
  override get message(): string {
    return `${this.step}: ${this.layer || "the model"} cannot keep to the accumulator: ${this.reason}.`
  }
}
