/**
 * Proxies that keep their laws, and for each law ones that do not.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, MutableRef } from "effect"
import type * as Law from "../../laws/Law.ts"
import * as ProxyLaws from "../../laws/ProxyLaws.ts"
import * as QuantProxy from "../../src/proxy/QuantProxy.ts"
import * as LeasedRef from "../../src/tensor/LeasedRef.ts"
import type { Pack } from "./Pack.ts"

type Proxies = ProxyLaws.Proxies
const { proxies } = ProxyLaws

const broken: ReadonlyArray<readonly [Law.Law<Proxies>, string, Partial<Proxies>]> = [
  [ProxyLaws.anew, "a reload does nothing", { reload: () => Effect.void }],
  [
    ProxyLaws.anew,
    "what was learned is kept",
    {
      reload: (proxy) => {
        const value = (LeasedRef.current(proxy.cell).parameters.value as tf.Tensor).dataSync()[0] as number
        return Effect.andThen(
          proxies.reload(proxy),
          Effect.sync(() => proxies.commit(proxy, { value: tf.scalar(value) }))
        )
      }
    }
  ],
  [
    ProxyLaws.kept,
    "forgets before it resolves",
    {
      reload: (proxy) =>
        Effect.andThen(
          Effect.sync(() => proxies.commit(proxy, { value: tf.scalar(0) })),
          proxies.reload(proxy)
        )
    }
  ],
  [
    ProxyLaws.shared,
    "joins before it resolves",
    {
      addModule: (proxy, module) =>
        Effect.suspend(() => {
          MutableRef.update(proxy.modules, (all) => [...all, module])
          return proxies.reload(proxy)
        })
    }
  ],
  [
    ProxyLaws.shared,
    "the last one alone",
    {
      addModule: (proxy, module) =>
        Effect.suspend(() => {
          const before = MutableRef.get(proxy.modules)
          MutableRef.set(proxy.modules, [module])
          return Effect.onError(proxies.reload(proxy), () => Effect.sync(() => MutableRef.set(proxy.modules, before)))
        })
    }
  ],
  [ProxyLaws.learned, "training is in vain", { commit: (_, { value }) => tf.dispose(value as tf.Tensor) }],
  [
    ProxyLaws.leased,
    "does not hold what it hands out",
    { lease: ({ cell }) => Effect.sync(() => LeasedRef.current(cell)) }
  ],
  [
    ProxyLaws.once,
    "the old one is never released",
    {
      reload: (proxy) =>
        Effect.andThen(
          Effect.sync(() => {
            MutableRef.get(proxy.cell.generation).holds += 1
          }),
          QuantProxy.reload(proxy)
        )
    }
  ],
  [
    ProxyLaws.leakless,
    "a tensor for each reload",
    {
      reload: (proxy) =>
        Effect.andThen(
          Effect.sync(() => void tf.scalar(1)),
          proxies.reload(proxy)
        )
    }
  ]
]

export const pack: Pack<Proxies> = {
  name: "ProxyLaws",
  laws: ProxyLaws.all,
  good: [["breve's proxies", Effect.succeed(proxies)]],
  broken: broken.map(([law, how, parts]) => [law, how, Effect.succeed({ ...proxies, ...parts, name: how })]),
  runs: 200
}
