/**
 * What a step of training, or one after training, can fail with.
 *
 * Room: tensor (level 0). Imports: effect's `Data`, `./Nearest.ts`.
 */
import { Data } from "effect"
import { hint } from "./Nearest.ts"

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

/** A weight holds NaN or infinities. */
export class NonFiniteWeights extends Data.TaggedError("NonFiniteWeights")<{
  readonly step: string
  readonly layer: string
}> {
  override get message(): string {
    return `${this.step}: the weight or bias of ${this.layer || "the model"} holds NaN or infinities; load a finite state first`
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

/** The scale that a layer's weights are rounded with follows the weights that a step would change; nothing was changed. */
export class ScaleNotFixed extends Data.TaggedError("ScaleNotFixed")<{
  readonly step: string
  readonly layer: string
  readonly quantizer: string
}> {
  override get message(): string {
    return `${this.step}: ${this.quantizer} scales ${this.layer || "the model"} by statistics of the weights that are to be changed; fix them with weight: { scalingImplType: "parameterFromStats" }, or take a quantizer whose scale for rounding is not one of its own.`
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
