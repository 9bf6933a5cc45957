import { inspect } from "node:util"
import { Cause, Context, Deferred, Effect, Equal, Exit, Fiber, Hash, Result, Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Injector from "../../src/inject/Injector.ts"
import {
  CircularDependency,
  ConstructionFailed,
  InvalidDependency,
  MissingDependency
} from "../../src/tensor/Errors.ts"

const { choose, component, link, optional, orElse, parent, raw, required, value } = Injector

const unknown = (self: Injector.Any, name: string) =>
  Effect.map(Injector.resolveUnknown(self, [name]), (found) => found[name])
const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): A => Effect.runSync(Effect.scoped(effect))
const failure = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): E => run(Effect.flip(effect))
const known = (self: Injector.Any, name: string): unknown => run(unknown(self, name))
const failing = (self: Injector.Any, name: string) => failure(unknown(self, name))

interface Scaling {
  readonly threshold: number
}
const Scaling = component(
  "Scaling",
  { scalingInit: required<number>() },
  ({ scalingInit }): Scaling => ({
    threshold: scalingInit
  })
)
interface Binary {
  readonly scaling: Scaling
  readonly signed: boolean
}
const Binary = component(
  "Binary",
  { scalingImpl: required<Scaling>(), signed: optional(true) },
  ({ scalingImpl, signed }): Binary => ({ scaling: scalingImpl, signed })
)
const Clamped = component(
  "Clamped",
  { scalingImpl: required<Scaling>(), high: required<number>() },
  ({ scalingImpl, high }) => ({ scaling: scalingImpl, high })
)
const quantizer = Injector.make("Quantizer", { tensorQuant: Binary, scalingImpl: Scaling, scalingInit: 0.1 })

describe("attributes", () => {
  it("a plain value, a function or a bare class comes back as it is", () => {
    const f = () => 1
    const plain = Injector.make({ a: 1, b: null, f, list: [1, 2] as const })
    expect(run(Injector.resolve(plain, "a"))).toBe(1)
    expect(run(Injector.resolve(plain, "b"))).toBe(null)
    expect(run(Injector.resolve(plain, "f"))).toBe(f)
    expect(run(Injector.resolve(plain, "list"))).toEqual([1, 2])
  })
  it("a component is given its dependencies by name, through several levels", () => {
    expect(run(Injector.resolve(quantizer, "tensorQuant"))).toEqual({ scaling: { threshold: 0.1 }, signed: true })
  })
  it("a component can be called by hand, with defaults", () => {
    expect(Binary({ scalingImpl: { threshold: 2 } })).toEqual({ scaling: { threshold: 2 }, signed: true })
    expect(Binary({ scalingImpl: { threshold: 2 }, signed: false }).signed).toBe(false)
  })
  it("an attribute that is there wins over a default, even null", () => {
    const Held = component("Held", { held: optional<number | null>(7) }, ({ held }) => held)
    expect(run(Injector.resolve(Injector.make({ it: Held }), "it"))).toBe(7)
    expect(run(Injector.resolve(Injector.make({ it: Held, held: 2 }), "it"))).toBe(2)
    expect(run(Injector.resolve(Injector.make({ it: Held, held: null }), "it"))).toBe(null)
  })
  it("an optional attribute that is there but broken is an error", () => {
    const Held = component("Held", { scalingImpl: optional<Scaling | null>(null) }, (given) => given)
    expect(failing(Injector.make("Q", { it: Held, scalingImpl: Scaling }), "it")).toMatchObject({
      _tag: "MissingDependency",
      attribute: "scalingInit",
      path: ["it", "scalingImpl"]
    })
  })
  it("a value is a function of other attributes, defaults included", () => {
    const q = Injector.make({ v: value(["a", orElse("k", 5)], (a: number, k: number) => a * k), a: 2 })
    expect(run(Injector.resolve(q, "v"))).toBe(10)
    expect(run(Injector.resolve(Injector.let(q, { k: 9 }), "v"))).toBe(18)
  })
  it("a value may answer a component, which is then wired", () => {
    const q = Injector.make({
      tensorQuant: value(["isClamped"], (on: boolean) => (on ? Clamped : Binary)),
      isClamped: true as boolean,
      scalingImpl: Scaling,
      scalingInit: 1,
      high: 3
    })
    expect(run(Injector.resolve(q, "tensorQuant"))).toEqual({ scaling: { threshold: 1 }, high: 3 })
    expect(run(Injector.resolve(Injector.let(q, { isClamped: false }), "tensorQuant"))).toEqual({
      scaling: { threshold: 1 },
      signed: true
    })
  })
  it("a value may answer a link, which is then followed, only if it does", () => {
    const q = Injector.make("Q", {
      shape: value(["perChannel"], (on: boolean) => (on ? link("channelShape") : [])),
      perChannel: false as boolean
    })
    expect(known(q, "shape")).toEqual([])
    expect(known(Injector.let(q, { perChannel: true, channelShape: [8, 1] }), "shape")).toEqual([8, 1])
    expect(failing(Injector.let(q, { perChannel: true }), "shape")).toMatchObject({
      attribute: "channelShape",
      path: ["shape"]
    })
  })
  it("a value may answer a value, a raw component or an injector", () => {
    const inner = Injector.make("Inner", { a: 1 })
    const q = Injector.make({
      twice: value([], () => value(["n"], (n: number) => n + 1)),
      held: value([], () => raw(Binary)),
      nested: value([], () => inner),
      n: 1
    })
    expect(known(q, "twice")).toBe(2)
    expect(known(q, "held")).toBe(Binary)
    expect(known(q, "nested")).toBe(inner)
  })
  it("raw hands out a component unwired", () => {
    const q = Injector.make({
      scaling: raw(Scaling),
      user: value(["scaling"], (s: typeof Scaling) => s({ scalingInit: 4 }))
    })
    expect(run(Injector.resolve(q, "scaling"))).toBe(Scaling)
    expect(run(Injector.resolve(q, "user"))).toEqual({ threshold: 4 })
  })
  it("choose takes the case that another attribute names", () => {
    const q = Injector.make("Q", {
      tensorQuant: choose("isClamped", { true: Clamped, false: Binary }),
      isClamped: false,
      scalingImpl: Scaling,
      scalingInit: 1
    })
    expect(run(Injector.resolve(q, "tensorQuant"))).toEqual({ scaling: { threshold: 1 }, signed: true })
    const picked = Injector.let(q, { isClamped: true })
    expect(failing(picked, "tensorQuant")).toMatchObject({ _tag: "MissingDependency", attribute: "high" })
    expect(known(Injector.let(picked, { high: 9 }), "tensorQuant")).toEqual({ scaling: { threshold: 1 }, high: 9 })
  })
  it("choose may pick plain values and links", () => {
    const q = Injector.make({ it: choose("kind", { one: 1, other: link("a") }), kind: "one" as string, a: 5 })
    expect(known(q, "it")).toBe(1)
    expect(known(Injector.let(q, { kind: "other" }), "it")).toBe(5)
  })
  it("choose may be told by a link, by another branch, or only when the resolution starts", () => {
    const q = Injector.make({
      it: choose("flag", { one: choose("other", { yes: component("Yes", { a: required<number>() }, ({ a }) => -a) }) }),
      flag: link("linked"),
      linked: choose("kind", { first: "one", second: "two" }),
      kind: "first" as string,
      other: value([], () => "yes"),
      a: 5
    })
    expect(known(q, "it")).toBe(-5)
    expect(failing(Injector.let(q, { kind: "second" }), "it").message).toContain('no case for "two"')
    const told = Injector.make({ it: choose("kind", { one: 1, other: link("a") }), a: 5 })
    const given = (kind: string) =>
      run((Injector.recipe(told as Injector.Any, "it").run as (given: unknown) => Effect.Effect<number>)({ kind }))
    expect([given("one"), given("other"), given("one")]).toEqual([1, 5, 1])
  })
  it("choose without a case for its flag names the nearest one", () => {
    const error = failing(Injector.make("Q", { it: choose("kind", { constant: 1, stats: 2 }), kind: "constnat" }), "it")
    expect(error).toBeInstanceOf(InvalidDependency)
    expect(error.message).toBe(
      'Q cannot use "kind" (it): no case for "constnat" among constant, stats; did you mean "constant"?'
    )
  })
})

describe("links", () => {
  const inner = Injector.make("Inner", { scalingImpl: Scaling, scalingInit: parent("scalingInit") })
  const outer = Injector.make("Outer", { inner, scalingInit: 42, it: link("inner", "scalingImpl") })
  it("lead to another attribute and share its instance", () => {
    const q = Injector.make({
      pair: component("Pair", { one: required<object>(), two: required<object>() }, (pair) => pair),
      one: component("One", {}, () => ({})),
      two: link("one")
    })
    const pair = run(Injector.resolve(q, "pair"))
    expect(pair.one).toBe(pair.two)
  })
  it("lead into a nested injector, and from there up", () => {
    expect(run(Injector.resolve(outer, "it"))).toEqual({ threshold: 42 })
    expect(run(Injector.resolve(Injector.let(outer, { scalingInit: 7 }), "it"))).toEqual({ threshold: 7 })
  })
  it("share the instances of a nested injector within a resolution", () => {
    const q = Injector.let(outer, { again: link("inner", "scalingImpl"), it: link("inner", "scalingImpl") } as {})
    const { it: one, again } = run(Injector.resolveUnknown(q, ["it", "again"]))
    expect(one).toBe(again)
  })
  it("lead to fields and items of what an attribute becomes", () => {
    const q = Injector.make("Q", {
      threshold: link("tensorQuant", "scaling", "threshold"),
      item: link("list", 1),
      none: link("list", 9),
      list: [4, 5],
      tensorQuant: Binary,
      scalingImpl: Scaling,
      scalingInit: 0.5
    })
    expect(run(Injector.resolve(q, "threshold"))).toBe(0.5)
    expect(run(Injector.resolve(q, "item"))).toBe(5)
    expect(failing(q, "none").message).toBe('Q cannot use "list.9" (none): "9" is not a field of what "list" became')
  })
  it("go up two levels, and no further than there are", () => {
    const leaf = Injector.make("Leaf", { v: parent("^", "v") })
    const q = Injector.make("Top", { sub: Injector.make("Sub", { leaf }), v: 3, got: link("sub", "leaf", "v") })
    expect(known(q, "got")).toBe(3)
    const error = failing(Injector.make("Short", { leaf, got: link("leaf", "v") }), "got")
    expect(error).toBeInstanceOf(InvalidDependency)
    expect(error.message).toContain("more levels than the injector has")
    expect(error).toMatchObject({ attribute: "^.^.v", path: ["got", "leaf.v"] })
  })
  it("a nested injector does not see the attributes around it", () => {
    const q = Injector.make("Outer", {
      inner: Injector.make("Inner", { scalingImpl: Scaling }),
      scalingInit: 1,
      it: link("inner", "scalingImpl")
    })
    expect(failing(q, "it")).toMatchObject({
      injector: "Inner",
      attribute: "scalingInit",
      path: ["it", "inner.scalingImpl"]
    })
  })
  it("a nested injector handed out still knows what is around it", () => {
    const nested = known(outer, "inner") as Injector.Any
    expect(nested.name).toBe("Inner")
    expect(known(nested, "scalingInit")).toBe(42)
    expect(failing(inner, "scalingInit")._tag).toBe("InvalidDependency")
  })
  it("a nested injector handed out by a recipe knows what the recipe was given", () => {
    const open = Injector.make("Open", { inner })
    const nested = run(
      Injector.recipe(open as Injector.Any, "inner").run({ scalingInit: 8 }) as Effect.Effect<Injector.Any>
    )
    expect(known(nested, "scalingInit")).toBe(8)
  })
})

describe("combining", () => {
  it("let overrides and adds, and leaves the original as it was", () => {
    const other = Injector.let(quantizer, { scalingInit: 2, signed: false })
    expect(run(Injector.resolve(other, "tensorQuant"))).toEqual({ scaling: { threshold: 2 }, signed: false })
    expect(run(Injector.resolve(quantizer, "scalingInit"))).toBe(0.1)
    expect(other.name).toBe("Quantizer")
  })
  it("merge takes the right one where both have a name", () => {
    const a = Injector.make("A", { x: "a", only: 1 })
    const b = Injector.make("B", { x: "b" })
    expect(run(Injector.resolve(Injector.merge(a, b), "x"))).toBe("b")
    expect(run(Injector.resolve(Injector.merge(b, a), "x"))).toBe("a")
    expect(run(Injector.resolve(Injector.merge(a, b), "only"))).toBe(1)
    expect(Injector.merge(a, b).name).toBe("A & B")
  })
  it("merge refuses what is no injector", () => {
    const wrong = { x: 1 } as unknown as Injector.Any
    expect(() => Injector.merge(quantizer, wrong)).toThrow(InvalidDependency)
    expect(() => Injector.merge(quantizer, wrong)).toThrow("only injectors can be merged")
    expect(() => Injector.merge(wrong, quantizer)).toThrow("wrap attributes with Injector.make")
  })
  it("empty has nothing", () => {
    expect(Object.keys(Injector.empty.table)).toEqual([])
    expect(failing(Injector.empty, "a")).toMatchObject({ injector: "(anonymous injector)", attribute: "a", path: [] })
  })
  it("named renames, and layers keep the names they had", () => {
    const other = Injector.named(Injector.let(quantizer, { scalingInit: 2 }), "Other")
    expect(other.name).toBe("Other")
    expect(other.layers.map(({ name }) => name)).toEqual(["Quantizer", ""])
    expect(run(Injector.resolve(other, "scalingInit"))).toBe(2)
  })
  it("has looks at declared names only", () => {
    expect(Injector.has(quantizer, "scalingInit")).toBe(true)
    expect(Injector.has(quantizer, "signed")).toBe(false)
    expect(Injector.has(quantizer, "toString")).toBe(false)
    expect(quantizer.pipe(Injector.has("scalingImpl"))).toBe(true)
  })
  it("everything works in a pipe", () => {
    const result = quantizer.pipe(
      Injector.let({ scalingInit: 3 }),
      Injector.merge(Injector.make("More", { signed: false })),
      Injector.named("Piped"),
      Injector.resolve("tensorQuant")
    )
    expect(run(result)).toEqual({ scaling: { threshold: 3 }, signed: false })
  })
  it("an injector is frozen", () => {
    const table = quantizer.table as Record<string, unknown>
    expect(() => {
      table.scalingInit = 9
    }).toThrow(TypeError)
    expect(() => delete table.scalingInit).toThrow(TypeError)
    const fields = quantizer as unknown as Record<string, unknown>
    expect(() => {
      fields.name = "Other"
    }).toThrow(TypeError)
  })
  it("attributes changed after make do not change the injector", () => {
    const attributes = { a: 1 as number }
    const q = Injector.make(attributes)
    attributes.a = 2
    expect(run(Injector.resolve(q, "a"))).toBe(1)
  })
})

describe("a resolution", () => {
  const counted = () => {
    const calls: Array<string> = []
    const made = (label: string) =>
      component(label, {}, () => {
        calls.push(label)
        return { label }
      })
    const Top = component(
      "Top",
      { left: required<object>(), right: required<object>(), leaf: required<object>() },
      (given) => {
        calls.push("Top")
        return given
      }
    )
    const side = (label: string) =>
      component(label, { leaf: required<object>() }, ({ leaf }) => {
        calls.push(label)
        return { leaf }
      })
    const q = Injector.make("Q", {
      top: Top,
      left: side("Left"),
      right: side("Right"),
      leaf: made("Leaf"),
      unused: made("Unused")
    })
    return { calls, q }
  }
  it("builds each attribute once, dependencies first, and only what is looked at", () => {
    const { calls, q } = counted()
    const top = run(Injector.resolve(q, "top")) as { left: { leaf: object }; right: { leaf: object }; leaf: object }
    expect(calls).toEqual(["Leaf", "Left", "Right", "Top"])
    expect(top.left.leaf).toBe(top.leaf)
    expect(top.right.leaf).toBe(top.leaf)
  })
  it("builds anew at each run", () => {
    const { calls, q } = counted()
    const leaf = Injector.resolve(q, "leaf")
    expect(calls).toEqual([])
    expect(run(leaf)).not.toBe(run(leaf))
    expect(calls).toEqual(["Leaf", "Leaf"])
  })
  it("resolveAll shares what several attributes need", () => {
    const { calls, q } = counted()
    const { left, right } = run(Injector.resolveAll(q, ["left", "right"]))
    expect(left.leaf).toBe(right.leaf)
    expect(calls).toEqual(["Leaf", "Left", "Right"])
    expect(Object.keys(run(q.pipe(Injector.resolveAll(["leaf"]))))).toEqual(["leaf"])
  })
  it("a recipe takes what is missing, each time anew", () => {
    const open = Injector.make("Open", { tensorQuant: Binary, scalingImpl: Scaling })
    const recipe = Injector.recipe(open, "tensorQuant")
    expect(recipe.injector).toBe("Open")
    expect(run(recipe.run({ scalingInit: 2 })).scaling.threshold).toBe(2)
    const unsigned = Injector.recipe(Injector.let(open, { signed: false }), "tensorQuant")
    expect(run(unsigned.run({ scalingInit: 3 }))).toEqual({ scaling: { threshold: 3 }, signed: false })
    const piped = open.pipe(Injector.recipe("scalingImpl"))
    expect(run(piped.run({ scalingInit: 4 }))).toEqual({ threshold: 4 })
  })
  it("what a recipe is given wins over what the injector has, and is not wired", () => {
    const found = run(
      (Injector.recipe(quantizer as Injector.Any, "tensorQuant").run as (given: unknown) => Effect.Effect<Binary>)({
        scalingImpl: Scaling
      })
    )
    expect(found.scaling).toBe(Scaling)
  })
  it("resolveUnknown takes names that only the program knows", () => {
    expect(run(Injector.resolveUnknown(quantizer, ["scalingInit", "scalingImpl"]))).toEqual({
      scalingInit: 0.1,
      scalingImpl: { threshold: 0.1 }
    })
    expect(run(Injector.resolveUnknown(quantizer, ["scalingImpl"], { scalingInit: 6 }))).toEqual({
      scalingImpl: { threshold: 6 }
    })
  })
  it("a failed one changes nothing", () => {
    const Fast = component("Fast", { n: required<number>() }, ({ n }) => n)
    const q = Injector.make("X", {
      impl: value(["fast"], (fast: boolean) => (fast ? Fast : "slow")),
      fast: true as boolean
    })
    expect(failing(q, "impl")).toMatchObject({ attribute: "n" })
    expect(known(Injector.let(q, { fast: false }), "impl")).toBe("slow")
    expect(known(Injector.let(q, { n: 1 } as {}), "impl")).toBe(1)
  })
})

describe("failures", () => {
  it("a missing name: who asked, and the nearest known name", () => {
    const q = Injector.make("Quantizer", { tensorQuant: Binary, scalingImpl: Scaling, scallingInit: 1 })
    const error = failing(q, "tensorQuant")
    expect(error).toBeInstanceOf(MissingDependency)
    expect(error).toMatchObject({
      injector: "Quantizer",
      attribute: "scalingInit",
      path: ["tensorQuant", "scalingImpl"],
      nearest: "scallingInit"
    })
    expect(error.message).toBe(
      'Quantizer has no attribute "scalingInit", needed by tensorQuant > scalingImpl; did you mean "scallingInit"?'
    )
  })
  it("a missing name asked for directly", () => {
    expect(failing(quantizer, "tensorQant")).toMatchObject({ path: [], nearest: "tensorQuant" })
    expect(failing(quantizer, "zzz")).toMatchObject({ nearest: undefined })
  })
  it("nothing is built when the declarations show that a name is missing", () => {
    const calls: Array<string> = []
    const q = Injector.make({
      top: component("Top", { a: required<number>(), nope: required<number>() }, (given) => given),
      a: value([], () => calls.push("a"))
    })
    expect(failing(q, "top")._tag).toBe("MissingDependency")
    expect(calls).toEqual([])
  })
  const One = component("One", { two: required<unknown>() }, (given) => given)
  const Two = component("Two", { one: required<unknown>() }, (given) => given)
  it.each([
    ["itself", { one: component("Self", { one: required<unknown>() }, (given) => given) }, ["one", "one"]],
    ["through components", { one: One, two: Two }, ["one", "two", "one"]],
    ["through a value function's answer", { one: One, two: value([], () => Two) }, ["one", "two", "one"]],
    ["through a branch", { one: One, two: choose("flag", { on: Two }), flag: "on" }, ["one", "two", "one"]],
    ["through links", { one: link("two"), two: link("one") }, ["one", "two", "one"]],
    ["a link to itself", { one: link("one") }, ["one", "one"]],
    [
      "through a nested injector",
      { one: link("sub", "b"), sub: Injector.make("Sub", { b: parent("one") }) },
      ["one", "sub.b", "one"]
    ],
    [
      "through an optional dependency",
      { one: component("Opt", { two: optional<unknown>(1) }, (given) => given), two: Two },
      ["one", "two", "one"]
    ]
  ])("a circle %s has its path", (_, attributes, path) => {
    const error = failing(Injector.make("Ring", attributes), "one")
    expect(error).toBeInstanceOf(CircularDependency)
    expect(error.path).toEqual(path)
  })
  it("a circle further down starts at the request", () => {
    const error = failing(Injector.make("Ring", { top: link("one"), one: One, two: Two }), "top")
    expect(error.path).toEqual(["top", "one", "two", "one"])
    expect(error.message).toBe(
      "Ring has a circular dependency (top > one > two > one); break the circle by overriding one of these names."
    )
  })
  it("a constructor that throws", () => {
    const cause = new Error("no room")
    const q = Injector.make("Q", {
      top: link("it"),
      it: value([], (): number => {
        throw cause
      })
    })
    const error = failing(q, "top")
    expect(error).toBeInstanceOf(ConstructionFailed)
    expect(error).toMatchObject({ attribute: "it", path: ["top", "it"], cause })
    expect(error.message).toBe('Q failed to build "it" (top > it): no room')
  })
})

describe("effectful attributes", () => {
  const Ready = Injector.componentEffect("Ready", { n: required<number>() }, ({ n }) =>
    Effect.as(Effect.yieldNow, { n })
  )
  it("are built by their Effect, once", async () => {
    let builds = 0
    const Slow = Injector.componentEffect("Slow", { n: optional(1) }, ({ n }) =>
      Effect.sync(() => {
        builds++
        return { n }
      })
    )
    const q = Injector.make({
      pair: component("Pair", { a: required<object>(), b: required<object>(), slow: required<object>() }, (p) => p),
      a: Injector.valueEffect(["slow"], (slow: object) => Effect.as(Effect.yieldNow, slow)),
      b: link("slow"),
      slow: Slow
    })
    const pair = await Effect.runPromise(Injector.resolve(q, "pair"))
    expect(pair.a).toBe(pair.slow)
    expect(pair.b).toBe(pair.slow)
    expect(builds).toBe(1)
  })
  it("may be answered by value functions and branches, behind links", async () => {
    const q = Injector.make({
      a: value([], () => Ready),
      b: choose("flag", { on: Ready }),
      c: link("sub", "ready"),
      sub: Injector.make({ ready: Ready, n: parent("n") }),
      flag: "on",
      n: 3
    })
    const found = await Effect.runPromise(Effect.scoped(Injector.resolveUnknown(q, ["a", "b", "c"])))
    expect(found).toEqual({ a: { n: 3 }, b: { n: 3 }, c: { n: 3 } })
  })
  it("a value effect may answer a component or a link; what a component builds is never wired", async () => {
    const Held = Injector.componentEffect("Held", {}, () => Effect.succeed(Scaling))
    const q = Injector.make({
      wired: Injector.valueEffect([], () => Effect.succeed(Scaling)),
      linked: Injector.valueEffect([], () => Effect.succeed(link("scalingInit"))),
      held: value([], () => Held),
      scalingInit: 2
    })
    const found = await Effect.runPromise(Effect.scoped(Injector.resolveUnknown(q, ["wired", "linked", "held"])))
    expect(found.wired).toEqual({ threshold: 2 })
    expect(found.linked).toBe(2)
    expect(found.held).toBe(Scaling)
  })
  it("fail with their own error, and need their own services", () => {
    class Source extends Context.Service<Source, number>()("Source") {}
    const Read = Injector.componentEffect("Read", {}, () =>
      Effect.flatMap(Source, (n) => (n > 0 ? Effect.succeed(n) : Effect.fail("too small" as const)))
    )
    const resolved = Injector.resolve(Injector.make({ it: Read }), "it")
    expect(Effect.runSync(Effect.provideService(resolved, Source, 2))).toBe(2)
    expect(Effect.runSync(Effect.flip(Effect.provideService(resolved, Source, 0)))).toBe("too small")
  })
  it("concurrent resolutions share nothing", async () => {
    const q = Injector.make({ it: Injector.valueEffect([], () => Effect.as(Effect.yieldNow, {})) })
    const [a, b] = await Effect.runPromise(
      Effect.all([Injector.resolve(q, "it"), Injector.resolve(q, "it")], { concurrency: "unbounded" })
    )
    expect(a).not.toBe(b)
  })
})

describe("scoped attributes", () => {
  const traced = () => {
    const trace: Array<string> = []
    const held = (label: string, ...needs: ReadonlyArray<string>) =>
      Injector.componentScoped(
        label,
        Object.fromEntries(needs.map((name) => [name, required<unknown>()])),
        () => {
          trace.push(`+${label}`)
          return { label }
        },
        () => {
          trace.push(`-${label}`)
        }
      )
    return { trace, held }
  }
  it("are released in reverse order when the Scope closes", () => {
    const { trace, held } = traced()
    const q = Injector.make({ a: held("a", "b", "c"), b: held("b", "c"), c: held("c") })
    run(
      Effect.map(unknown(q, "a"), (a) => {
        trace.push("use")
        return a
      })
    )
    expect(trace).toEqual(["+c", "+b", "+a", "use", "-a", "-b", "-c"])
  })
  it("are released once when a later one fails", () => {
    const { trace, held } = traced()
    const q = Injector.make({
      top: component("Top", { a: required<unknown>(), b: required<unknown>() }, (given) => given),
      a: held("a"),
      b: value([], (): number => {
        throw new Error("late")
      })
    })
    expect(failing(q, "top")._tag).toBe("ConstructionFailed")
    expect(trace).toEqual(["+a", "-a"])
  })
  it("are released in reverse order across effectful steps", async () => {
    const { trace, held } = traced()
    const q = Injector.make({
      top: component("Top", { a: required<unknown>(), s: required<unknown>(), b: required<unknown>() }, (g) => g),
      a: held("a"),
      s: Injector.valueEffect([], () => Effect.as(Effect.yieldNow, 1)),
      b: held("b")
    })
    await Effect.runPromise(Effect.scoped(unknown(q, "top")))
    expect(trace).toEqual(["+a", "+b", "-b", "-a"])
  })
  it("are released when the resolution is interrupted", async () => {
    const { trace, held } = traced()
    const program = Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const q = Injector.make({
        top: component("Top", { a: required<unknown>(), s: required<unknown>() }, (given) => given),
        a: held("a"),
        s: Injector.valueEffect([], () => Effect.andThen(Deferred.succeed(started, undefined), Effect.never))
      })
      const fiber = yield* Effect.forkChild(Effect.scoped(unknown(q, "top")))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      return trace
    })
    expect(await Effect.runPromise(program)).toEqual(["+a", "-a"])
  })
  it("one that fails to be released does not keep the others", () => {
    const { trace, held } = traced()
    const Bad = Injector.componentScoped(
      "Bad",
      { a: required<unknown>() },
      () => 1,
      () => {
        throw new Error("stuck")
      }
    )
    const q = Injector.make({ bad: Bad, a: held("a") })
    expect(Exit.isFailure(Effect.runSyncExit(Effect.scoped(unknown(q, "bad"))))).toBe(true)
    expect(trace).toEqual(["+a", "-a"])
  })
  it("a scoped value is released with what it was", () => {
    const released: Array<number> = []
    const q = Injector.make({
      it: Injector.valueScoped(
        ["n"],
        (n: number) => n * 2,
        (n) => void released.push(n)
      ),
      n: 4
    })
    expect(Effect.runSync(Effect.scoped(Injector.resolve(q, "it")))).toBe(8)
    expect(released).toEqual([8])
  })
  it("without a Scope it dies, and still releases", () => {
    const { trace, held } = traced()
    const q = Injector.make("Q", { a: held("a") })
    const exit = Effect.runSyncExit(unknown(q, "a") as Effect.Effect<unknown>)
    expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain("run the resolution in Effect.scoped")
    expect(trace).toEqual(["+a", "-a"])
  })
  it("stay open until the Scope they were built in closes", async () => {
    const { trace, held } = traced()
    const scope = await Effect.runPromise(Scope.make())
    await Effect.runPromise(Scope.provide(unknown(Injector.make({ a: held("a") }), "a"), scope))
    expect(trace).toEqual(["+a"])
    await Effect.runPromise(Scope.close(scope, Exit.void))
    expect(trace).toEqual(["+a", "-a"])
  })
})

describe("instances", () => {
  const a = Injector.make("A", { x: 1, scaling: Scaling })
  const same = Injector.make("Other", { scaling: Scaling, x: 1 })
  const different = Injector.let(a, { x: 2 })
  it("Equal and Hash look at names and attributes, not at layers or order", () => {
    expect(Equal.equals(a, same)).toBe(true)
    expect(Hash.hash(a)).toBe(Hash.hash(same))
    expect(Equal.equals(a, different)).toBe(false)
    expect(Equal.equals(a, Injector.make({ x: 1 }))).toBe(false)
    expect(Equal.equals(a, { ...a })).toBe(false)
    expect(Equal.equals(Injector.let(different, { x: 1 }), a)).toBe(true)
  })
  it("Eq is the same for fp-ts", () => {
    expect(Injector.Eq.equals(a, same)).toBe(true)
    expect(Injector.Eq.equals(a, different)).toBe(false)
  })
  it("Monoid is merge and empty", () => {
    expect(Injector.Eq.equals(Injector.Monoid.concat(a, different), different)).toBe(true)
    expect(Injector.Eq.equals(Injector.Monoid.concat(Injector.Monoid.empty, a), a)).toBe(true)
    const all = [a, different, same].reduce<Injector.Any>(Injector.Monoid.concat, Injector.Monoid.empty)
    expect(Injector.Eq.equals(all, a)).toBe(true)
  })
  it("isInjector", () => {
    expect([a, Injector.empty, Scaling, {}, null, 1].map(Injector.isInjector)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false
    ])
  })
  it("JSON shows each attribute", () => {
    expect(JSON.parse(JSON.stringify(a))).toEqual({
      _id: "Injector",
      name: "A",
      attributes: { x: "1", scaling: "Scaling(scalingInit)" }
    })
  })
})

describe("looking inside", () => {
  const q = Injector.make("Base", {
    tensorQuant: choose("isClamped", { true: Clamped, false: Binary }),
    isClamped: false,
    scalingImpl: Scaling,
    scalingInit: value(["module"], (m: { readonly max: number }) => m.max)
  }).pipe(Injector.let({ signed: false }))
  /** the same, with a flag that only the running program knows */
  const open = Injector.let(q, { isClamped: value([], () => true) })
  it("the tree shows winners, defaults, branches and what is missing", () => {
    expect(Injector.tree(Injector.let(quantizer, { scalingInit: 2 }))).toBe(
      [
        "Injector Quantizer  [Quantizer <- let#1]",
        "└─ tensorQuant = Binary(scalingImpl, signed = true)  «Quantizer»",
        "   ├─ scalingImpl = Scaling(scalingInit)  «Quantizer»",
        "   │  └─ scalingInit = 2  «let#1, shadows Quantizer: 0.1»",
        "   └─ signed  (default)"
      ].join("\n")
    )
    expect(Injector.tree(q).split("\n")).toEqual([
      "Injector Base  [Base <- let#1]",
      "└─ tensorQuant = Binary(scalingImpl, signed = true) (by choose isClamped)  «Base»",
      "   ├─ isClamped = false  «Base»",
      "   ├─ scalingImpl = Scaling(scalingInit)  «Base»",
      "   │  └─ scalingInit = value(module)  «Base»",
      "   │     └─ module  ✗ MISSING",
      "   └─ signed = false  «let#1»"
    ])
    expect(Injector.tree(open).split("\n")).toEqual([
      "Injector Base  [Base <- let#1 <- let#2]",
      "└─ tensorQuant = choose(isClamped) { true: Clamped, false: Binary }  «Base»",
      "   ├─ isClamped = value()  «let#2, shadows Base: false»",
      "   ├─ ? scalingImpl = Scaling(scalingInit)  «Base»",
      "   │  └─ scalingInit = value(module)  «Base»",
      "   │     └─ module  ✗ MISSING",
      "   ├─ ? high  (missing, if that branch is taken)",
      "   ├─ ? scalingImpl = Scaling(scalingInit)  «Base» (see above)",
      "   └─ signed = false  «let#1»"
    ])
  })
  it("is printed as the list of what was declared", () => {
    expect(String(Injector.let(quantizer, { scalingInit: 2 })).split("\n")).toEqual([
      "Injector Quantizer",
      "  tensorQuant = Binary(scalingImpl, signed = true)",
      "  scalingImpl = Scaling(scalingInit)",
      "  scalingInit = 2"
    ])
    expect(inspect(quantizer)).toBe(String(quantizer))
    expect(String(Injector.empty)).toBe("Injector (anonymous)")
  })
  it("the tree marks circles and links", () => {
    const ring = Injector.make({ a: link("b"), b: link("a"), c: link("sub", "x") })
    expect(Injector.tree(ring, ["a", "c"])).toContain("⟲ CIRCULAR")
    expect(Injector.tree(ring, ["c"])).toContain("~ sub.x  (another level)")
  })
  it("mermaid draws the wiring", () => {
    expect(Injector.mermaid(quantizer, "tensorQuant").split("\n")).toEqual([
      "flowchart TD",
      '  n0["tensorQuant = Binary',
      '«Quantizer»"]',
      '  n1["scalingImpl = Scaling',
      '«Quantizer»"]',
      '  n2["scalingInit = 0.1',
      '«Quantizer»"]',
      "  n1 --> n2",
      "  n0 --> n1",
      '  n3["signed (default)"]',
      "  n0 -.-> n3"
    ])
    const linked = Injector.mermaid(Injector.make({ a: link("sub", "x"), b: Scaling, c: "hi" }))
    expect(linked).toContain('["sub.x"]')
    expect(linked).toContain("==>")
    expect(linked).toContain('["scalingInit ✗"]')
    expect(linked).toContain("#quot;hi#quot;")
  })
  it("explain tells what one resolution did", () => {
    const told = run(Injector.explain(q, "tensorQuant", { module: { max: 3 } })).split("\n")
    expect(told).toEqual([
      "tensorQuant = Binary (by choose isClamped)  «Base»",
      "  isClamped = false  «Base»",
      "  scalingImpl = Scaling  «Base»",
      "    scalingInit = 3 (by value)  «Base»",
      "      module = { max }  «given»",
      "  signed = false  «let#1»"
    ])
    expect(failure(Injector.explain(q, "tensorQuant"))).toMatchObject({ attribute: "module" })
  })
  it("explain tells the flags of a branch within a branch", () => {
    const branch = choose("flag", { on: choose("other", { yes: 1 }) })
    const told = run(Injector.explain(Injector.make("Q", { it: branch, flag: "on", other: "yes" }), "it")).split("\n")
    expect(told).toEqual(["it = 1 (by choose flag)  «Q»", '  flag = "on"  «Q»', '  other = "yes"  «Q»'])
  })
  it("explain shows what a value function answered", () => {
    const told = run(Injector.explain(Injector.make({ a: value([], () => link("b")), b: 1 }), "a"))
    expect(told.split("\n")[0]).toBe("a = -> b (by value)  «make»")
  })
  it("diagnose finds what is missing, certain or not", () => {
    const told = (self: Injector.Any) =>
      Injector.diagnose(self, ["tensorQuant"])
        .filter(({ kind }) => kind !== "unused")
        .map(({ kind, name, certain }) => `${kind} ${name} ${certain}`)
    expect(told(q)).toEqual(["missing module true"])
    expect(told(Injector.let(q, { isClamped: true }))).toEqual(["missing module true", "missing high true"])
    expect(told(open)).toEqual(["missing module false", "missing high false"])
    expect(Injector.diagnose(q, ["tensorQuant"])[0]).toMatchObject({
      path: ["tensorQuant", "scalingImpl", "scalingInit"],
      message: '"module" is missing, needed by tensorQuant > scalingImpl > scalingInit'
    })
    const misspelt = Injector.make({ scalingImpl: Scaling, scallingInit: 1 })
    expect(Injector.diagnose(misspelt, ["scalingImpl"])[0]).toMatchObject({
      certain: true,
      message: '"scalingInit" is missing, needed by scalingImpl; did you mean "scallingInit"?'
    })
  })
  it("diagnose is certain if one of two ways is", () => {
    const Both = component("Both", { maybe: required<unknown>(), x: required<unknown>() }, (given) => given)
    const both = (flag: unknown) =>
      Injector.make({ both: Both, maybe: choose("flag", { on: link("x"), off: 1 }), flag, x: link("absent") })
    const told = (flag: unknown) =>
      Injector.diagnose(both(flag), ["both"]).map(({ certain, path }) => [certain, path.length])
    expect(told("on")).toEqual([[true, 3]])
    expect(told("off")).toEqual([[true, 2]])
    expect(told(value([], () => "on"))).toEqual([
      [false, 3],
      [true, 2]
    ])
  })
  it("diagnose follows the flag of a branch through links, and finds a case that is not there", () => {
    const branch = choose("flag", { on: link("absent"), off: choose("other", { yes: 1 }) })
    const told = (self: Injector.Any) => Injector.diagnose(self, ["it"]).map(({ message }) => message)
    const far = Injector.make({
      it: branch,
      flag: link("sub", "up"),
      sub: Injector.make({ up: parent("way") }),
      way: "on"
    })
    expect(told(far)).toEqual(['"absent" is missing, needed by it'])
    const fields = Injector.make({ it: branch, flag: link("flags", "flags"), flags: { flags: "off" }, other: "yes" })
    expect(Injector.diagnose(fields, ["it"]).map(({ certain }) => certain)).toEqual([false])
    const ring = Injector.make({ it: branch, flag: link("more"), more: link("flag"), other: "yes" })
    expect(Injector.diagnose(ring, ["it"]).some(({ kind }) => kind === "circular")).toBe(true)
    expect(told(Injector.make({ it: branch, flag: "oof", other: "yes" }))).toEqual([
      '"it" has no case for flag = "oof" among on, off; did you mean "off"?'
    ])
    expect(told(Injector.make({ it: branch, flag: "off", other: "no" }))).toEqual([
      '"it" has no case for other = "no" among yes'
    ])
  })
  it("foresee tells what would come out, and builds nothing", () => {
    let built = 0
    const Part = component("Part", { size: required<number>(), mode: optional("x") }, () => ++built)
    const self = Injector.make("Q", {
      top: component("Top", { part: required<number>(), size: optional(0), other: optional(1) }, () => ++built),
      part: choose("flag", { on: Part, off: link("nowhere") }),
      flag: value(["size"], (size: number) => (size > 2 ? "on" : "off")),
      size: link("sub", "double"),
      sub: Injector.make({ double: value(["up"], (n: number) => 2 * n), up: parent("n") }),
      n: 4,
      far: value(["module"], () => 1),
      lost: link("nowhere"),
      none: choose("flag", { off: 1 }),
      throws: value([], () => {
        throw new Error("no")
      }),
      scoped: Injector.valueScoped(
        [],
        () => ++built,
        () => {}
      ),
      a: link("b"),
      b: value(["a"], (a: number) => a)
    })
    expect(Injector.foresee(self, ["top"])).toEqual({
      top: { kind: "built", label: "Top", names: ["part", "size", "other"] },
      part: { kind: "built", label: "Part", names: ["size", "mode"] },
      flag: { kind: "constant", value: "on" },
      size: { kind: "constant", value: 8 },
      n: { kind: "constant", value: 4 }
    })
    const kinds = Object.entries(Injector.foresee(self, ["far", "lost", "none", "throws", "scoped", "a"]))
    expect(Object.fromEntries(kinds.map(([name, { kind }]) => [name, kind]))).toMatchObject({
      far: "open",
      lost: "open",
      nowhere: "missing",
      module: "missing",
      none: "open",
      throws: "open",
      scoped: "open",
      a: "circular",
      b: "circular"
    })
    expect(built).toBe(0)
  })
  it("diagnose finds circles, links that lead nowhere, and what nothing looks at", () => {
    const kinds = (self: Injector.Any, roots?: ReadonlyArray<string>) =>
      Injector.diagnose(self, roots).map(({ kind, name, certain }) => `${kind} ${name} ${certain}`)
    expect(kinds(Injector.make({ a: link("b"), b: link("a") }), ["a"])).toEqual(["circular a true"])
    expect(kinds(Injector.make({ a: parent("b") }))).toEqual(["invalid a true"])
    expect(kinds(Injector.make({ a: link("^") }))).toEqual(["invalid a true"])
    expect(kinds(Injector.let(quantizer, { siigned: 1 } as {}), ["tensorQuant"])).toEqual(["unused siigned true"])
    expect(Injector.diagnose(Injector.let(quantizer, { siigned: 1 } as {}), ["tensorQuant"])[0]?.message).toBe(
      'nothing looks at "siigned"; did you mean "signed"?'
    )
    expect(kinds(quantizer, ["tensorQuant"])).toEqual([])
    const nested = Injector.make({ sub: Injector.make({ b: parent("a") }), a: link("sub", "b") })
    expect(kinds(nested)).toContain("circular sub.b true")
  })
})

describe("results", () => {
  it("are plain Effects", () => {
    expect(Result.isSuccess(run(Effect.result(Injector.resolve(quantizer, "scalingInit"))))).toBe(true)
  })
})
