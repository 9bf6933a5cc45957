/**
 * What a brick is: its parts as data, its formula as a pure function of its state, and what the quantizer hands down to all of them.
 *
 * Room: core (level 2). Imports: types of tfjs, `tensor` and `./Persistence.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type * as Tree from "../tensor/Tree.ts"
import type * as Persistence from "./Persistence.ts"

/** Statistics to quantize with in place of the quantizer's own, while a statistic searches for the best one. */
export interface Trial {
  readonly scale?: tf.Tensor
  readonly zeroPoint?: tf.Tensor
}

/** What an attempt answers: the parts of a quantization that a search compares. Groups stay apart. */
export interface Attempt {
  readonly value: tf.Tensor
  readonly scale: tf.Tensor
  readonly zeroPoint: tf.Tensor
  readonly bitWidth: tf.Tensor
}

/**
 * A tensor on its way through a quantizer. A statistic that looks at it may answer another one with the same elements for what
 * follows: what then comes back to that one, the statistic completes in place.
 */
export interface Passing {
  readonly of: tf.Tensor
  /** what is to be used from now on; written by the statistics of one call, read by the quantizer that made it */
  latest: tf.Tensor
}

/** What a brick is given: its own parameters and memory, whether this is training, and what the quantizer hands down to all. */
export interface State {
  readonly parameters: Tree.Parameters
  readonly memory: Tree.Memory
  readonly training: boolean
  /** the weights of all layers that share the quantizer; absent: the input is the only one */
  readonly tracked?: ReadonlyArray<tf.Tensor> | undefined
  /** quantizes with statistics on trial; absent outside of a quantizer and inside of an attempt */
  readonly attempt?: ((x: tf.Tensor, trial: Trial) => Attempt) | undefined
  /** inside of an attempt: what is on trial */
  readonly trial?: Trial | undefined
  /** the input of the quantizer, whose gradient its statistics may complete; absent: nothing is recorded, or something else is seen */
  readonly passing?: Passing | undefined
  /** whether the quantizer only looks: it hands its input on, but still takes statistics and answers scale and zero-point */
  readonly observing?: boolean | undefined
}

/** A result and the memory after it. */
export type Answer<A> = readonly [result: A, memory: Tree.Memory]

/** What every brick has. */
export interface Brick {
  /** the name of its kind, as printed */
  readonly label: string
  readonly children: Readonly<Record<string, Brick>>
  /** the initial parameters, the children's under their names */
  readonly parameters: Tree.Parameters
  /** the initial memory, the children's under their names */
  readonly memory: Tree.Memory
  /** the tensors that it made and that go with it */
  readonly own: ReadonlyArray<tf.Tensor>
  /** turns state into the state that the next call starts from, where the two differ (statistics that become parameters) */
  readonly prepare: (state: State) => Pick<State, "parameters" | "memory">
  /** absent: its parameters are saved and loaded as they are */
  readonly persistence?: Persistence.Persistence | undefined
}

/** A stateful brick: a formula over its state and `In`. */
export interface Stateful<In extends ReadonlyArray<unknown>, Out> extends Brick {
  readonly apply: (state: State, ...inputs: In) => Answer<Out>
}
/** A stateless brick. */
export interface Stateless<In extends ReadonlyArray<unknown>, Out> extends Brick {
  readonly apply: (...inputs: In) => Out
}
