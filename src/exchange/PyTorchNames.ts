/**
 * Names of a state here and in PyTorch.
 *
 * There: `fc1.weight_quant.tensor_quant.scaling_impl.value`; here: `fc1.weightQuant.scalingImpl.value`. What a user named, a layer
 * in a model, may be written either way, so names are compared without underscores and in lower case.
 *
 * Room: exchange (level 5). Imports: `nn`, `proxy`. Laws: test/exchange/PyTorch.test.ts.
 */
import type { Slot } from "../proxy/QuantProxy.ts"

/** Parts of names there that have no counterpart here: a quantizer is its proxy's. */
const wrappers: ReadonlySet<string> = new Set(["fused_activation_quant_proxy", "tensor_quant"])

/** What older versions of Brevitas called some parts. */
const renamed: Readonly<Record<string, string>> = {
  act_quant_proxy: "act_quant",
  weight_quant_proxy: "weight_quant",
  bias_quant_proxy: "bias_quant",
  learned_value: "value"
}

/** Counters and markers that nothing here needs. */
const unused: ReadonlySet<string> = new Set(["num_batches_tracked", "zero_hw_sentinel"])

const lastOf = (name: string): string => name.slice(name.lastIndexOf(".") + 1)

/** Whether a name there is of something that is left behind without a word. */
export const isUnused = (theirs: string): boolean => unused.has(lastOf(theirs))

const compared = (name: string): string => name.replaceAll("_", "").toLowerCase()

/** What a name here and the same name there have in common. */
export const common = (name: string): string =>
  name
    .split(".")
    .filter((part) => !wrappers.has(part))
    .map((part) => compared(Object.hasOwn(renamed, part) ? (renamed[part] as string) : part))
    .join(".")

/** `weight_quant` of `weightQuant`. */
export const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** The names between a proxy and its quantizer there. */
const within: Readonly<Record<Slot, string>> = {
  weight: "tensor_quant",
  bias: "tensor_quant",
  input: "fused_activation_quant_proxy.tensor_quant",
  output: "fused_activation_quant_proxy.tensor_quant",
  activation: "fused_activation_quant_proxy.tensor_quant"
}

/** The name there of what a quantizer in a slot saves. */
export const ofQuantizer = (proxy: string, slot: Slot, path: string): string =>
  `${snake(proxy)}.${within[slot]}.${snake(path)}`
