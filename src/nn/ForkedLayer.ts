/**
 * A layer over other cells: its formula knows the old ones, so states are handed to it under the old names and taken back under the new.
 *
 * Room: nn (level 4). Imports: effect, `proxy`, `./Layer.ts`, `./Model.ts`. Laws: test/nn/Fork.test.ts.
 */
import { MutableRef } from "effect"
import type * as Cell from "../proxy/Cell.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import * as Layer from "./Layer.ts"
import * as Model from "./Model.ts"

/** What takes the place of what. A proxy or cell that is `undefined` here is gone: nothing is quantized in its place. */
export interface Twins {
  readonly cells: ReadonlyMap<Cell.Cell, Cell.Cell | undefined>
  readonly proxies: ReadonlyMap<QuantProxy, QuantProxy | undefined>
}

// ---- states under other names -------------------------------------------------------------------------------

/** In the place of a quantizer that is gone. */
const nothing: Cell.Living = {
  parameters: {},
  memory: {},
  quantizer: undefined,
  signed: undefined,
  tracked: () => [],
  latest: MutableRef.make<Cell.State>({ parameters: {}, memory: {} })
}

/** The states of one layer as its formula knows them; what quantizers follow is looked up there first, then in all states. */
const inward = (
  states: Layer.States,
  pairs: ReadonlyArray<readonly [Cell.Cell, Cell.Cell | undefined]>
): Layer.States => {
  const oldOf = new Map(pairs.map(([old, mine]) => [mine, old]))
  return new Map(
    pairs.map(([old, mine]) => {
      if (mine === undefined) return [old, nothing]
      const state = Layer.stateOf(states, mine)
      if (state.quantizer === undefined) return [old, state]
      const tracked: Cell.Tracked = (candidates) =>
        state.tracked((cell) => {
          const known = oldOf.get(cell)
          return (known && candidates(known)) ?? states.get(cell)?.parameters
        })
      return [old, { ...state, tracked }]
    })
  )
}

/** All states after those of one layer changed under their old names. */
const outward = (
  states: Layer.States,
  pairs: ReadonlyArray<readonly [Cell.Cell, Cell.Cell | undefined]>,
  after: Layer.States
): Layer.States => {
  const changed = pairs.flatMap(([old, mine]) => {
    const now = after.get(old)
    const before = mine && states.get(mine)
    if (mine === undefined || now === undefined || before === undefined) return []
    const { parameters, memory } = now
    const isSame = parameters === before.parameters && memory === before.memory
    return isSame ? [] : [[mine, { ...before, parameters, memory }] as const]
  })
  return changed.length === 0 ? states : new Map([...states, ...changed])
}

// ---- layers -------------------------------------------------------------------------------------------------

/** The layer that was first forked, and its cells' places in a fork: forks of forks go back to it at once. */
interface Root {
  readonly layer: Layer.Layer
  readonly twins: Twins
}
const roots = new WeakMap<Layer.Stateful, Root>()

const through = <A>(first: ReadonlyMap<A, A | undefined>, next: ReadonlyMap<A, A | undefined>): Map<A, A | undefined> =>
  new Map([...first].map(([old, mine]) => [old, mine && (next.has(mine) ? next.get(mine) : mine)]))

const only = <A>(keys: Iterable<A>, all: ReadonlyMap<A, A | undefined>): Map<A, A | undefined> =>
  new Map([...keys].map((key) => [key, all.has(key) ? all.get(key) : key]))

const rootOf = (layer: Layer.Layer, twins: Twins): Root => {
  const known = roots.get(layer)
  if (known !== undefined) {
    const { cells, proxies } = known.twins
    return {
      layer: known.layer,
      twins: { cells: through(cells, twins.cells), proxies: through(proxies, twins.proxies) }
    }
  }
  const cells = only(new Set(layer.cells.map(([, cell]) => cell)), twins.cells)
  const proxies = only(new Set(layer.proxies.map(([, proxy]) => proxy)), twins.proxies)
  return { layer, twins: { cells, proxies } }
}

/** Names with what took the place of the old ones. */
const renewed = <A>(
  named: ReadonlyArray<readonly [string, A]>,
  twins: ReadonlyMap<A, A | undefined>
): ReadonlyArray<readonly [string, A]> =>
  named.flatMap(([name, old]) => {
    const mine = twins.has(old) ? twins.get(old) : old
    return mine === undefined ? [] : [[name, mine] as const]
  })

/** The other properties of a layer, of which some are its cells and proxies: `own`, `weightQuant`. */
const propertiesOf = (layer: Layer.Stateful, twins: Twins, layers: ReadonlyMap<unknown, Layer.Stateful>): object => {
  const maps: ReadonlyArray<ReadonlyMap<unknown, unknown>> = [twins.cells, twins.proxies, layers]
  return Object.fromEntries(
    Object.entries(layer).map(([name, value]) => {
      const found = maps.find((map) => map.has(value))
      return [name, found === undefined ? value : found.get(value)]
    })
  )
}

const leaf = (layer: Layer.Layer, twins: Twins): Layer.Layer => {
  if (layer.cells.length === 0) return layer
  const root = rootOf(layer, twins)
  const pairs = [...root.twins.cells]
  const known = root.twins.proxies
  const apply: Layer.Layer["apply"] = (states, x, mode) => {
    const { watch } = mode
    const inner: Layer.Mode =
      watch === undefined ? mode : { ...mode, watch: (proxy, value) => watch(known.get(proxy) ?? proxy, value) }
    const [y, after] = root.layer.apply(inward(states, pairs), x, inner)
    return [y, outward(states, pairs, after)]
  }
  const forked: Layer.Layer = {
    ...(propertiesOf(layer, twins, new Map()) as Layer.Layer),
    cells: renewed(layer.cells, twins.cells),
    proxies: renewed(layer.proxies, twins.proxies),
    apply
  }
  roots.set(forked, root)
  return forked
}

/** The same layer or model over other cells; a layer that stands in two places becomes one that stands in two places. */
export const over = <L extends Layer.Stateful>(layer: L, twins: Twins): L => {
  const done = new Map<unknown, Layer.Stateful>()
  const each = (one: Layer.Stateful): Layer.Stateful => {
    const known = done.get(one)
    if (known !== undefined) return known
    const made = Model.isComposed(one) ? composed(one) : leaf(one as Layer.Layer, twins)
    done.set(one, made)
    return made
  }
  const composed = (model: Model.Composed): Layer.Stateful => {
    const layers = Object.fromEntries(Object.entries(model.layers).map(([name, one]) => [name, each(one)]))
    return { ...propertiesOf(model, twins, done), ...model.over(layers) }
  }
  return each(layer) as L
}
