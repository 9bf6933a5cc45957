/**
 * How attributes are written in trees, diagrams and messages.
 *
 * Room: inject (level 1). Imports: its own room.
 */
import { isBinding, type Spec, specOfBinding } from "./Binding.ts"
import { isSource } from "./Plan.ts"

const showBinding = (spec: Spec): string => {
  switch (spec.kind) {
    case "constant":
      return `raw ${show(spec.value)}`
    case "link":
      return `-> ${(spec.path ?? []).join(".")}`
    case "choose": {
      const cases = Object.entries(spec.cases ?? {}).map(([name, answer]) => `${name}: ${headOf(answer)}`)
      return `choose(${spec.names.join()}) { ${cases.join(", ")} }`
    }
    default: {
      const args = spec.names.map((name, i) => {
        const fallback = spec.defaults[i]
        return fallback === undefined ? name : `${name} = ${show(fallback.value)}`
      })
      return `${spec.label}(${args.join(", ")})${spec.mode === "sync" ? "" : ` [${spec.mode}]`}`
    }
  }
}

/** An attribute without its arguments. */
export const headOf = (attribute: unknown): string => {
  if (!isBinding(attribute)) return show(attribute)
  const spec = specOfBinding(attribute)
  return spec.kind === "component" || spec.kind === "value" ? spec.label : showBinding(spec)
}

/** An attribute in one line. */
export const show = (attribute: unknown): string => {
  if (isBinding(attribute)) return showBinding(specOfBinding(attribute))
  if (isSource(attribute)) return `injector ${attribute.name || "(anonymous)"}`
  if (typeof attribute === "function") return attribute.name === "" ? "function" : `function ${attribute.name}`
  if (typeof attribute === "string") return JSON.stringify(attribute)
  if (Array.isArray(attribute)) return `[${attribute.map(show).join(", ")}]`
  if (attribute === null || typeof attribute !== "object") return String(attribute)
  if ("shape" in attribute && "dtype" in attribute) return `Tensor[${String(attribute.shape)}]`
  if ("label" in attribute && typeof attribute.label === "string") return attribute.label
  return attribute.constructor === Object ? `{ ${Object.keys(attribute).join(", ")} }` : attribute.constructor.name
}
