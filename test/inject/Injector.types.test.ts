/**
 * What the compiler accepts and refuses. Nothing here needs to run: a wrong program that compiled would be an error itself.
 */
import { Context, Effect, type Scope } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import * as Injector from "../../src/inject/Injector.ts"
import type {
  CircularDependency,
  ConstructionFailed,
  InvalidDependency,
  MissingDependency
} from "../../src/tensor/Errors.ts"

const { choose, component, componentEffect, componentScoped, link, optional, orElse, parent, raw, required, value } =
  Injector

type Always = CircularDependency | ConstructionFailed | InvalidDependency
interface Scaling {
  readonly threshold: number
}
interface Binary {
  readonly kind: "binary"
}
interface Clamped {
  readonly kind: "clamped"
}
const Scaling = component(
  "Scaling",
  { scalingInit: required<number>() },
  ({ scalingInit }): Scaling => ({ threshold: scalingInit })
)
const Binary = component(
  "Binary",
  { scalingImpl: required<Scaling>(), signed: optional(true) },
  (): Binary => ({ kind: "binary" })
)
const Clamped = component(
  "Clamped",
  { scalingImpl: required<Scaling>(), high: required<number>() },
  (): Clamped => ({ kind: "clamped" })
)
const full = Injector.make("Full", { tensorQuant: Binary, scalingImpl: Scaling, scalingInit: 0.1 })
const open = Injector.make("Open", { tensorQuant: Binary, scalingImpl: Scaling })

/** Holds programs for the compiler; they are not run. */
const compiled = (_program: () => unknown): void => {}

describe("presence", () => {
  it("right", () =>
    compiled(() => {
      expectTypeOf(Injector.resolve(full, "tensorQuant")).toEqualTypeOf<Effect.Effect<Binary, Always, never>>()
      expectTypeOf(full.pipe(Injector.resolve("tensorQuant"))).toEqualTypeOf<Effect.Effect<Binary, Always, never>>()
      expectTypeOf(Injector.resolve(full, "scalingInit")).toEqualTypeOf<Effect.Effect<0.1, Always, never>>()
      Injector.resolve(Injector.let(open, { scalingInit: 1 }), "tensorQuant")
      Injector.resolve(Injector.merge(open, Injector.make({ scalingInit: 1 })), "tensorQuant")
      open.pipe(Injector.let({ scalingInit: 1 }), Injector.resolve("tensorQuant"))
    }))
  it("wrong", () =>
    compiled(() => {
      // @ts-expect-error scalingInit is missing, by scalingImpl
      Injector.resolve(open, "tensorQuant")
      // @ts-expect-error the same in a pipe
      open.pipe(Injector.resolve("tensorQuant"))
      // @ts-expect-error no such attribute
      Injector.resolve(full, "tensorQant")
      // @ts-expect-error no such attribute, in a pipe
      full.pipe(Injector.resolve("tensorQant"))
      // @ts-expect-error nothing in empty
      Injector.resolve(Injector.empty, "a")
      // @ts-expect-error scalingImpl itself is missing
      Injector.resolve(Injector.make({ tensorQuant: Binary, scalingInit: 1 }), "tensorQuant")
      // @ts-expect-error what a value function needs is missing
      Injector.resolve(Injector.make({ v: value(["module"], (m: number) => m) }), "v")
    }))
})

describe("types of dependencies", () => {
  it("right", () =>
    compiled(() => {
      Injector.resolve(Injector.make({ scalingImpl: Scaling, scalingInit: value([], () => 2) }), "scalingImpl")
      Injector.resolve(Injector.make({ tensorQuant: Binary, scalingImpl: { threshold: 1 } }), "tensorQuant")
      Injector.resolve(Injector.make({ it: Binary, signed: false, scalingImpl: Scaling, scalingInit: 1 }), "it")
      Injector.resolve(Injector.make({ v: value(["n"], (n: number) => n), n: 1 }), "v")
    }))
  it("wrong", () =>
    compiled(() => {
      // @ts-expect-error a string where a number is needed
      Injector.resolve(Injector.make({ scalingImpl: Scaling, scalingInit: "0.1" }), "scalingImpl")
      // @ts-expect-error the same in a pipe, further down
      open.pipe(Injector.let({ scalingInit: "0.1" }), Injector.resolve("tensorQuant"))
      // @ts-expect-error a component that builds the wrong thing
      Injector.resolve(Injector.make({ tensorQuant: Binary, scalingImpl: component("No", {}, () => 1) }), "tensorQuant")
      // @ts-expect-error an optional dependency of the wrong type
      Injector.resolve(Injector.let(full, { signed: "yes" }), "tensorQuant")
      // @ts-expect-error a value function that answers the wrong type
      Injector.resolve(Injector.make({ scalingImpl: Scaling, scalingInit: value([], () => "x") }), "scalingImpl")
      // @ts-expect-error an argument of a value function of the wrong type
      Injector.resolve(Injector.make({ v: value(["n"], (n: number) => n), n: "1" }), "v")
      // @ts-expect-error raw is not wired: a component is not a Scaling
      Injector.resolve(Injector.make({ tensorQuant: Binary, scalingImpl: raw(Scaling) }), "tensorQuant")
    }))
})

describe("calling by hand", () => {
  it("right", () =>
    compiled(() => {
      expectTypeOf(Scaling({ scalingInit: 1 })).toEqualTypeOf<Scaling>()
      expectTypeOf(Binary({ scalingImpl: { threshold: 1 } })).toEqualTypeOf<Binary>()
      Binary({ scalingImpl: { threshold: 1 }, signed: false })
    }))
  it("wrong", () =>
    compiled(() => {
      // @ts-expect-error scalingInit is missing
      Scaling({})
      // @ts-expect-error of the wrong type
      Scaling({ scalingInit: "1" })
      // @ts-expect-error not one of its dependencies
      Binary({ scalingImpl: { threshold: 1 }, sined: true })
      // @ts-expect-error an effectful component has no call by hand
      componentEffect("E", {}, () => Effect.succeed(1))({})
    }))
})

describe("let and merge", () => {
  it("right", () =>
    compiled(() => {
      expectTypeOf(Injector.resolve(Injector.let(full, { scalingInit: 3 }), "scalingInit")).toEqualTypeOf<
        Effect.Effect<3, Always, never>
      >()
      Injector.let(full, { signed: false })
      full.pipe(Injector.let({ signed: false }))
      Injector.let(full, { scalingInit: link("start"), start: 1 })
      expectTypeOf(
        Injector.resolve(Injector.merge(Injector.make({ a: 1 }), Injector.make({ a: "x" })), "a")
      ).toEqualTypeOf<Effect.Effect<"x", Always, never>>()
      Injector.merge(full, Injector.make({ anything: 1 }))
      expectTypeOf(Injector.named(full, "Other")).toEqualTypeOf<typeof full>()
      expectTypeOf(Injector.has(full, "x")).toEqualTypeOf<boolean>()
    }))
  it("wrong", () =>
    compiled(() => {
      // @ts-expect-error nothing looks at sined
      Injector.let(full, { sined: false })
      // @ts-expect-error the same in a pipe
      full.pipe(Injector.let({ sined: false }))
      // @ts-expect-error one of two is misspelt
      Injector.let(full, { signed: true, scalingInitt: 1 })
      // @ts-expect-error a record is not an injector
      Injector.merge(full, { a: 1 })
      // @ts-expect-error the same in a pipe
      full.pipe(Injector.merge({ a: 1 }))
      // @ts-expect-error a name must be text
      Injector.named(full, 1)
      // @ts-expect-error attributes cannot be assigned
      full.name = "Other"
      const more: Injector.Injector<{ readonly a: number; readonly b: number }> = Injector.make({ a: 1, b: 2 } as {
        readonly a: number
        readonly b: number
      })
      // @ts-expect-error an injector is invariant: attributes must not be forgotten
      const fewer: Injector.Injector<{ readonly a: number }> = more
      return fewer
    }))
})

describe("links", () => {
  const inner = Injector.make("Inner", { scalingImpl: Scaling, scalingInit: parent("scalingInit") })
  it("right", () =>
    compiled(() => {
      expectTypeOf(Injector.resolve(Injector.make({ a: link("b"), b: 1 }), "a")).toEqualTypeOf<
        Effect.Effect<1, Always, never>
      >()
      const field = Injector.make({ a: link("scaling", "threshold"), scaling: Scaling, scalingInit: 1 })
      expectTypeOf(Injector.resolve(field, "a")).toEqualTypeOf<Effect.Effect<number, Always, never>>()
      const nested = Injector.make({ inner, a: link("inner", "scalingImpl"), scalingInit: 1 })
      expectTypeOf(Injector.resolve(nested, "a")).toEqualTypeOf<Effect.Effect<Scaling, Always, never>>()
      Injector.let(nested, { scalingInit: 2 })
    }))
  it("wrong", () =>
    compiled(() => {
      // @ts-expect-error b is missing
      Injector.resolve(Injector.make({ a: link("b") }), "a")
      // @ts-expect-error inner has no such attribute
      Injector.resolve(Injector.make({ inner, a: link("inner", "nope"), scalingInit: 1 }), "a")
      // @ts-expect-error the attribute one level up is missing
      Injector.resolve(Injector.make({ inner, a: link("inner", "scalingImpl") }), "a")
      // @ts-expect-error the same in a pipe
      Injector.make({ inner, a: link("inner", "scalingImpl") }).pipe(Injector.resolve("a"))
      // @ts-expect-error a link of the wrong type
      Injector.resolve(Injector.make({ scalingImpl: Scaling, scalingInit: link("b"), b: "x" }), "scalingImpl")
      // @ts-expect-error a link names an attribute
      link()
      // @ts-expect-error the first step is a name
      link(0)
    }))
})

describe("branches", () => {
  const either = value(["isClamped"], (on: boolean) => (on ? Clamped : Binary))
  const attributes = { tensorQuant: either, isClamped: true as boolean, scalingImpl: Scaling, scalingInit: 1 }
  it("right", () =>
    compiled(() => {
      const undecided = Injector.make(attributes)
      expectTypeOf(Injector.resolve(undecided, "tensorQuant")).toEqualTypeOf<
        Effect.Effect<Binary | Clamped, Always | MissingDependency<"high">, never>
      >()
      const caught = Injector.resolve(undecided, "tensorQuant").pipe(
        Effect.catchTag("MissingDependency", (error) => {
          expectTypeOf(error.attribute).toEqualTypeOf<"high">()
          return Effect.succeed("none" as const)
        })
      )
      expectTypeOf(caught).toEqualTypeOf<Effect.Effect<Binary | Clamped | "none", Always, never>>()
      expectTypeOf(Injector.resolve(Injector.let(undecided, { high: 3 }), "tensorQuant")).toEqualTypeOf<
        Effect.Effect<Binary | Clamped, Always, never>
      >()
      const chosen = {
        tensorQuant: choose("flag", { true: Clamped, false: Binary }),
        scalingImpl: Scaling,
        scalingInit: 1
      }
      expectTypeOf(Injector.resolve(Injector.make({ ...chosen, flag: false as const }), "tensorQuant")).toEqualTypeOf<
        Effect.Effect<Binary, Always, never>
      >()
      const shape = value(["per"], (per: boolean) => (per ? link("shape") : ([] as const)))
      expectTypeOf(Injector.resolve(Injector.make({ a: shape, per: true as boolean, shape: 8 }), "a")).toEqualTypeOf<
        Effect.Effect<8 | readonly [], Always, never>
      >()
    }))
  it("wrong", () =>
    compiled(() => {
      const noInit = Injector.make({ tensorQuant: either, isClamped: true as boolean, scalingImpl: Scaling })
      // @ts-expect-error scalingInit is needed by both branches
      Injector.resolve(noInit, "tensorQuant")
      const chosen = {
        tensorQuant: choose("flag", { true: Clamped, false: Binary }),
        scalingImpl: Scaling,
        scalingInit: 1
      }
      // @ts-expect-error the branch is known, and it needs high
      Injector.resolve(Injector.make({ ...chosen, flag: true as const }), "tensorQuant")
      // @ts-expect-error the flag is missing
      Injector.resolve(Injector.make(chosen), "tensorQuant")
      // @ts-expect-error an undecided branch may fail: the error is not never
      const infallible: Effect.Effect<unknown, Always> = Injector.resolve(Injector.make(attributes), "tensorQuant")
      // @ts-expect-error high is of the wrong type in one of the branches
      Injector.resolve(Injector.let(Injector.make(attributes), { high: "3" }), "tensorQuant")
      return infallible
    }))
})

describe("values", () => {
  it("right", () =>
    compiled(() => {
      const withDefault = Injector.make({ v: value([orElse("n", 1)], (n: number) => n) })
      expectTypeOf(Injector.resolve(withDefault, "v")).toEqualTypeOf<Effect.Effect<number, Always, never>>()
      const scoped = Injector.make({
        v: Injector.valueScoped(
          [],
          () => 1 as number,
          () => {}
        )
      })
      expectTypeOf(Injector.resolve(scoped, "v")).toEqualTypeOf<Effect.Effect<number, Always, Scope.Scope>>()
      expectTypeOf(Injector.resolve(Injector.make({ a: raw(Scaling) }), "a")).toEqualTypeOf<
        Effect.Effect<typeof Scaling, Always, never>
      >()
    }))
  it("wrong", () =>
    compiled(() => {
      // @ts-expect-error two names, one argument of the wrong kind
      value(["a", 1], (a: number, b: number) => a + b)
      // @ts-expect-error an absent default is one thing, one of the wrong type another
      Injector.resolve(Injector.make({ v: value([orElse("n", 1)], (n: number) => n), n: "x" }), "v")
      // @ts-expect-error more arguments than names
      value(["a"], (a: number, b: number) => a + b)
    }))
})

describe("errors and services", () => {
  class Source extends Context.Service<Source, number>()("TypesSource") {}
  const Read = componentEffect("Read", {}, () =>
    Effect.flatMap(Source, (n) => (n > 0 ? Effect.succeed(n) : Effect.fail("small" as const)))
  )
  const Held = componentScoped(
    "Held",
    { read: required<number>() },
    ({ read }) => read,
    () => {}
  )
  const q = Injector.make({ read: Read, held: Held, plain: 1 })
  it("right", () =>
    compiled(() => {
      expectTypeOf(Injector.resolve(q, "read")).toEqualTypeOf<Effect.Effect<number, Always | "small", Source>>()
      expectTypeOf(Injector.resolve(q, "held")).toEqualTypeOf<
        Effect.Effect<number, Always | "small", Source | Scope.Scope>
      >()
      expectTypeOf(Injector.resolve(q, "plain")).toEqualTypeOf<Effect.Effect<1, Always, never>>()
      Effect.runSync(Effect.provideService(Injector.resolve(q, "read"), Source, 1))
    }))
  it("wrong", () =>
    compiled(() => {
      // @ts-expect-error a service is not provided
      Effect.runSync(Injector.resolve(q, "read"))
      // @ts-expect-error the Scope is not provided
      Effect.runSync(Effect.provideService(Injector.resolve(q, "held"), Source, 1))
      // @ts-expect-error its own error is not handled
      const handled: Effect.Effect<number, Always, Source> = Injector.resolve(q, "read")
      return handled
    }))
})

describe("several at once, and recipes", () => {
  it("right", () =>
    compiled(() => {
      expectTypeOf(Injector.resolveAll(full, ["tensorQuant", "scalingInit"])).toEqualTypeOf<
        Effect.Effect<{ readonly tensorQuant: Binary; readonly scalingInit: 0.1 }, Always, never>
      >()
      full.pipe(Injector.resolveAll(["scalingImpl"]))
      const recipe = Injector.recipe(open, "tensorQuant")
      expectTypeOf(recipe.run({ scalingInit: 1 })).toEqualTypeOf<Effect.Effect<Binary, Always, never>>()
      open.pipe(Injector.recipe("tensorQuant")).run({ scalingInit: 1 })
    }))
  it("wrong", () =>
    compiled(() => {
      // @ts-expect-error one of them cannot be resolved
      Injector.resolveAll(open, ["scalingImpl"])
      // @ts-expect-error the same in a pipe
      open.pipe(Injector.resolveAll(["scalingImpl"]))
      // @ts-expect-error no such attribute
      Injector.resolveAll(full, ["tensorQuant", "nope"])
      const recipe = Injector.recipe(open, "tensorQuant")
      // @ts-expect-error what has a default is not asked for: let gives it
      recipe.run({ scalingInit: 1, signed: false })
      // @ts-expect-error scalingInit must be given
      recipe.run({})
      // @ts-expect-error of the right type
      recipe.run({ scalingInit: "1" })
      // @ts-expect-error no such attribute
      Injector.recipe(open, "nope")
    }))
})
