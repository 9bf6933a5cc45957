/**
 * The cells of recurrent layers: what they learn in one direction, and what they do in one step.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `proxy`, `quant`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import type * as Layer from "./Layer.ts"
import * as Gate from "./RecurrentGate.ts"
import * as Slots from "./Slots.ts"
import * as Thread from "./Thread.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** What goes from step to step: `[n, hidden]` each. */
export interface Memory {
  readonly hidden: Layer.Value
  readonly cell?: Layer.Value | undefined
}

/** One direction of one layer. */
export interface Direction {
  readonly gates: ReadonlyArray<Gate.Gate>
  /** what quantizes the cell state, where there is one */
  readonly cellStateQuant: QuantProxy | undefined
  readonly cells: Layer.Stateful["cells"]
  readonly proxies: Slots.Named
  /** one step: the sums of the gates, `[n, hidden]` each, and what was before */
  readonly step: (thread: Thread.Thread, sums: ReadonlyArray<tf.Tensor>, before: Memory) => Memory
}

/** Where a direction stands, and what it shares with others. */
export interface Site extends Omit<Gate.Place, "name" | "part"> {
  /** `layers.0.1` */
  readonly name: string
  readonly hasBias: boolean
  readonly ioQuant: QuantProxy | undefined
  /** of the direction whose input weights are shared */
  readonly shared: Direction | undefined
  /** shared in the place of one of its own */
  readonly cellStateQuant: QuantProxy | undefined
}

export type RnnSlot = "weight" | "bias" | "io" | "gateAcc"
export type LstmSlot = RnnSlot | "sigmoid" | "tanh" | "cellState"

type Make = Effect.Effect<Direction, ResolutionError, Scope.Scope>

const value = QuantTensor.dequantized

const gathered = (
  gates: ReadonlyArray<Gate.Gate>,
  proxies: Slots.Named
): Pick<Direction, "gates" | "cells" | "proxies"> => ({
  gates,
  cells: [...gates.flatMap(({ cells }) => cells), ...Slots.cellsOf(proxies)],
  proxies: [...gates.flatMap(({ proxies }) => proxies), ...proxies]
})

// ---- RNN ----------------------------------------------------------------------------------------------------

/** `h' = Q_io(f(Q_acc(sum)))`. */
export const rnn = (site: Site, quantizers: Slots.Given<RnnSlot>, nonlinearity: (x: tf.Tensor) => tf.Tensor): Make =>
  Effect.gen(function* () {
    const { name, hasBias, ioQuant } = site
    const bare = yield* Slots.bareModule(site.kind)
    const gate = yield* Gate.make(
      { ...site, name: `${name}.gateParams` },
      { hasBias, quantizers, inputWeight: site.shared?.gates[0]?.inputWeight }
    )
    const fallback = ScaledInt.Int8ActPerTensorFloat
    const gateAccQuant = yield* Slots.proxyFor<RnnSlot>(quantizers, "gateAcc", "activation", fallback, bare)
    const proxies = Slots.named({ ioQuant, "cell.outputQuant": ioQuant, "cell.gateAccQuant": gateAccQuant }, `${name}.`)
    const step: Direction["step"] = (thread, [sum]) => {
      const gate = Thread.activation(thread, gateAccQuant, sum as tf.Tensor)
      return { hidden: Thread.activation(thread, ioQuant, nonlinearity(value(gate))) }
    }
    return { ...gathered([gate], proxies), cellStateQuant: undefined, step }
  })

// ---- LSTM ---------------------------------------------------------------------------------------------------

export interface LstmOptions {
  /** the forget gate is `1 - input gate` */
  readonly coupled: boolean
  readonly sharedWeightQuant: boolean
  readonly sharedGateAccQuant: boolean
}

type GateName = "input" | "forget" | "cell" | "output"
/** In PyTorch's order. */
const gateNames: ReadonlyArray<GateName> = ["input", "forget", "cell", "output"]

const gatesOf = (
  site: Site,
  quantizers: Slots.Given<LstmSlot>,
  { coupled, sharedWeightQuant }: LstmOptions
): Effect.Effect<ReadonlyArray<Gate.Gate>, ResolutionError, Scope.Scope> =>
  Effect.gen(function* () {
    const gates: Array<Gate.Gate> = []
    for (const [index, gate] of gateNames.entries()) {
      if (coupled && gate === "forget") continue
      const place = { ...site, name: `${site.name}.${gate}GateParams`, part: { index, of: gateNames.length } }
      const weightQuant = sharedWeightQuant ? gates[0]?.inputWeight.weightQuant : undefined
      const inputWeight = site.shared?.gates[gates.length]?.inputWeight
      gates.push(yield* Gate.make(place, { hasBias: site.hasBias, quantizers, weightQuant, inputWeight }))
    }
    return gates
  })

/** The quantizers within a cell by their names in Brevitas; without a forget gate its names stand for those of the input gate. */
const cellQuants = (site: Site, quantizers: Slots.Given<LstmSlot>, { coupled, sharedGateAccQuant }: LstmOptions) =>
  Effect.gen(function* () {
    const bare = yield* Slots.bareModule(site.kind)
    const [signed, unsigned] = [ScaledInt.Int8ActPerTensorFloat, ScaledInt.Uint8ActPerTensorFloat]
    const one = (slot: LstmSlot) =>
      Slots.proxyFor<LstmSlot>(quantizers, slot, "activation", slot === "sigmoid" ? unsigned : signed, bare)
    const inputAccQuant = yield* one("gateAcc")
    const acc = () => (sharedGateAccQuant ? Effect.succeed(inputAccQuant) : one("gateAcc"))
    const inputSigmoidQuant = yield* one("sigmoid")
    return {
      cellStateQuant: site.cellStateQuant ?? (yield* one("cellState")),
      inputAccQuant,
      forgetAccQuant: coupled ? inputAccQuant : yield* acc(),
      cellAccQuant: yield* acc(),
      outputAccQuant: yield* acc(),
      inputSigmoidQuant,
      forgetSigmoidQuant: coupled ? inputSigmoidQuant : yield* one("sigmoid"),
      cellTanhQuant: yield* one("tanh"),
      outputSigmoidQuant: yield* one("sigmoid"),
      hiddenStateTanhQuant: yield* one("tanh")
    }
  })

/** `c' = Q_c(Q_c(f c) + Q_c(i g))`, `h' = Q_io(o Q_tanh(tanh(c')))`; every gate `Q_act(act(Q_acc(sum)))`. */
export const lstm = (site: Site, quantizers: Slots.Given<LstmSlot>, options: LstmOptions): Make =>
  Effect.gen(function* () {
    const { ioQuant } = site
    const gates = yield* gatesOf(site, quantizers, options)
    const inner = yield* cellQuants(site, quantizers, options)
    const { cellStateQuant } = inner
    const proxies = [
      ...Slots.named({ ioQuant, "cell.outputQuant": ioQuant }, `${site.name}.`),
      ...Slots.named(inner, `${site.name}.cell.`)
    ]
    const step: Direction["step"] = (thread, sums, before) => {
      const through = (proxy: QuantProxy | undefined, x: tf.Tensor): tf.Tensor =>
        value(Thread.activation(thread, proxy, x))
      const left = [...sums]
      const next = (): tf.Tensor => left.shift() as tf.Tensor
      const input = through(inner.inputSigmoidQuant, tf.sigmoid(through(inner.inputAccQuant, next())))
      const forget = options.coupled
        ? tf.sub(through(inner.inputSigmoidQuant, tf.onesLike(input)), input)
        : through(inner.forgetSigmoidQuant, tf.sigmoid(through(inner.forgetAccQuant, next())))
      const candidate = through(inner.cellTanhQuant, tf.tanh(through(inner.cellAccQuant, next())))
      const output = through(inner.outputSigmoidQuant, tf.sigmoid(through(inner.outputAccQuant, next())))
      const kept = through(cellStateQuant, tf.mul(forget, value(before.cell as Layer.Value)))
      const added = through(cellStateQuant, tf.mul(input, candidate))
      const cell = Thread.activation(thread, cellStateQuant, tf.add(kept, added))
      const shown = through(inner.hiddenStateTanhQuant, tf.tanh(value(cell)))
      return { hidden: Thread.activation(thread, ioQuant, tf.mul(output, shown)), cell }
    }
    return { ...gathered(gates, proxies), cellStateQuant, step }
  })
