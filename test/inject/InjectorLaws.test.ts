import { Effect } from "effect"
import { assert, describe, expect, it } from "vitest"
import * as InjectorLaws from "../../laws/InjectorLaws.ts"
import * as Law from "../../laws/Law.ts"
import * as Injector from "../../src/inject/Injector.ts"

const { wiring } = InjectorLaws
const size = (a: Injector.Any): number => Object.keys(a.table).length

/** For each law a wiring that is wrong in the way that the law forbids. */
const broken: ReadonlyArray<readonly [Law.Law<InjectorLaws.Wiring>, string, InjectorLaws.Wiring]> = [
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

describe("InjectorLaws", () => {
  for (const [title, run] of Law.cases(InjectorLaws.all, wiring, { numRuns: 1000 })) it(`keeps: ${title}`, run)
  for (const [law, how, subject] of broken)
    it(`would notice: ${law.name} (${how})`, () => assert.throws(() => law.check(subject, { numRuns: 1000 })))
  it("has a broken wiring for each law", () => {
    expect(new Set(broken.map(([law]) => law))).toEqual(new Set(InjectorLaws.all))
  })
})
