/**
 * Wirings that keep the laws of injectors, and one for each law that does not.
 */
import { Effect } from "effect"
import * as InjectorLaws from "../../laws/InjectorLaws.ts"
import * as Injector from "../../src/inject/Injector.ts"
import type { Pack } from "./Pack.ts"

const { wiring } = InjectorLaws
const size = (a: Injector.Any): number => Object.keys(a.table).length

/** For each law a wiring that is wrong in the way that the law forbids. */
const broken: ReadonlyArray<readonly [Pack<InjectorLaws.Wiring>["laws"][number], string, InjectorLaws.Wiring]> = [
  [
    InjectorLaws.associative,
    "the larger injector wins",
    { ...wiring, merge: (a, b) => (size(a) > size(b) ? wiring.merge(b, a) : wiring.merge(a, b)) }
  ],
  [InjectorLaws.identity, "merge forgets its left side", { ...wiring, merge: (_, b) => b }],
  [
    InjectorLaws.overriding,
    "let does not override",
    { ...wiring, let: (a, attributes) => wiring.merge(Injector.make(attributes), a) }
  ],
  [
    InjectorLaws.cone,
    "everything is built",
    {
      ...wiring,
      resolve: (a, name) =>
        Effect.scoped(Effect.map(Injector.resolveUnknown(a, [name, ...Object.keys(a.table)]), (found) => found[name]))
    }
  ],
  [
    InjectorLaws.once,
    "built twice",
    { ...wiring, resolve: (a, name) => Effect.andThen(wiring.resolve(a, name), wiring.resolve(a, name)) }
  ],
  [
    InjectorLaws.renaming,
    "a name with a meaning of its own",
    { ...wiring, resolve: (a, name) => (name === "a" ? Effect.succeed(0) : wiring.resolve(a, name)) }
  ]
]

export const pack: Pack<InjectorLaws.Wiring> = {
  name: "InjectorLaws",
  laws: InjectorLaws.all,
  good: [["breve's own wiring", Effect.succeed(wiring)]],
  broken: broken.map(([law, how, subject]) => [law, how, Effect.succeed(subject)]),
  runs: 1000
}
