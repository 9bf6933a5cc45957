/**
 * A ready-made quantizer of the catalogue as a case configures it.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import type { Module, Modules } from "../../../../src/core/Module.ts"
import type { TensorQuantizer } from "../../../../src/core/TensorQuantizer.ts"
import * as Injector from "../../../../src/inject/Injector.ts"
import * as Catalogue from "../../../../src/quant/Catalogue.ts"
import { type Case, failed, type Outcome, unsupported } from "../../Case.ts"
import { attributesOf, type Role } from "./Names.ts"

// ---- declarations -------------------------------------------------------------------------------------------

/** Calls `f` with the case's entry and its overrides, if the catalogue has it. */
export const withEntry = (
  testCase: Case,
  role: Role,
  f: (injector: Injector.Any) => Outcome,
  { quantizer, overrides } = testCase.config
): Outcome => {
  const entry = Object.hasOwn(Catalogue.entries, quantizer) ? Catalogue.entries[quantizer] : undefined
  if (entry === undefined) return unsupported(`no catalogue entry ${quantizer}`)
  const attributes = attributesOf(overrides, role)
  return f(Injector.merge(entry, Injector.make(attributes) as Injector.Any))
}

/** Resolves attributes and calls `f` with them; what was built is released afterwards. */
export const resolved = <A>(
  injector: Injector.Any,
  names: ReadonlyArray<string>,
  module: Modules,
  f: (attributes: Readonly<Record<string, unknown>>) => A,
  otherwise: (reason: string) => A
): A =>
  Effect.runSync(
    Effect.scoped(
      Effect.match(Injector.resolveUnknown(injector, names, { module }), {
        onFailure: (error) => otherwise(`does not resolve ${names.join(", ")}: ${error.message}`),
        onSuccess: f
      })
    )
  )

export interface Given {
  readonly quantizer: TensorQuantizer
  readonly signed: boolean | undefined
}

/** Resolves the tensor quantizer and its sign and calls `f` with them. */
export const withQuantizer = (testCase: Case, role: Role, module: Modules, f: (given: Given) => Outcome): Outcome =>
  withEntry(testCase, role, (injector) =>
    resolved(
      injector,
      ["tensorQuant", ...(Injector.has(injector, "signed") ? ["signed"] : [])],
      module,
      ({ tensorQuant, signed }) =>
        tensorQuant === undefined
          ? failed("the entry does not quantize")
          : f({
              quantizer: tensorQuant as TensorQuantizer,
              signed: typeof signed === "boolean" ? signed : undefined
            }),
      failed
    )
  )

/** The facts about a layer with this weight, in the reference's own layout. */
export const moduleOf = (layer: string, weight: tf.Tensor, bias?: tf.Tensor): Module => {
  const [inputChannelAxis, outputChannelAxis] = /Transpose/.test(layer) ? [0, 1] : [1, 0]
  const outChannels = weight.shape[outputChannelAxis] ?? 0
  return { kind: layer, weight, bias, outChannels, outputChannelAxis, inputChannelAxis }
}

/** A layer without a weight. */
export const weightless = (layer: string): Module => ({
  kind: layer,
  weight: tf.scalar(0),
  outChannels: 0,
  outputChannelAxis: 0
})
