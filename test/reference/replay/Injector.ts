/**
 * Replays `api/injector.json`: builds breve's injectors from the declarations of a case and takes its steps.
 *
 * A class becomes a component that records its call and builds an object of its arguments; a value function becomes `value`
 * over the same expression; bases merge right to left. Identities are compared as a pattern: equal ids, equal objects.
 */
import { Effect, Result } from "effect"
import * as Injector from "../../../src/inject/Injector.ts"
import {
  CircularDependency,
  ConstructionFailed,
  InvalidDependency,
  MissingDependency
} from "../../../src/tensor/Errors.ts"
import { type Case, deviation, failed, type Outcome, passed, type Replay } from "../Case.ts"
import * as Deviations from "../Deviations.ts"

// ---- the language of the cases ------------------------------------------------------------------------------

interface Argument {
  readonly name: string
  readonly default?: Expression
}
interface ClassDeclaration {
  readonly args: ReadonlyArray<Argument>
  readonly no_constructor?: boolean
}
interface FunctionDeclaration {
  readonly args: ReadonlyArray<Argument>
  readonly returns: Expression
}
interface This {
  readonly levels: number
  readonly path: ReadonlyArray<{ readonly attr: string } | { readonly item: string | number }>
}
type Expression = Readonly<Record<string, unknown>>
type Attributes = Readonly<Record<string, Expression>>
interface Declarations {
  readonly classes: Readonly<Record<string, ClassDeclaration>>
  readonly functions: Readonly<Record<string, FunctionDeclaration>>
  readonly injectors: Readonly<
    Record<string, { readonly bases: ReadonlyArray<string>; readonly attributes: Attributes }>
  >
  readonly steps: ReadonlyArray<Step>
}
type Step =
  | { readonly op: "define"; readonly name: string }
  | { readonly op: "get"; readonly target: string; readonly attr: string; readonly as?: string }
  | { readonly op: "let"; readonly target: string; readonly attributes: Attributes; readonly as: string }
  | { readonly op: "has" | "set" | "delete"; readonly target: string; readonly attr: string }
  | { readonly op: "instantiate"; readonly target: string }
  | { readonly op: "and"; readonly left: string; readonly right: string; readonly as: string }
  | { readonly op: "same"; readonly left: string; readonly right: string }
  | { readonly op: "field"; readonly of: string; readonly path: ReadonlyArray<string>; readonly as?: string }
  | { readonly op: "is_subclass"; readonly target: string; readonly of: string }

/** A failure, reduced to what both sides can say. */
type Failure =
  | { readonly kind: "missing"; readonly injector: string; readonly attribute: string; readonly consumer?: string }
  | { readonly kind: "circular"; readonly attribute: string; readonly consumer?: string }
  | { readonly kind: "invalid"; readonly about: "levels" | "direct link" | "merge" | "other" }
  | { readonly kind: "refused" }
  | { readonly kind: "raised"; readonly message: string }
  | { readonly kind: "host"; readonly message: string }

// ---- what one case has made so far --------------------------------------------------------------------------

interface World {
  readonly declarations: Declarations
  readonly components: Map<string, unknown>
  readonly classOf: WeakMap<object, string>
  readonly functionOf: WeakMap<object, string>
  readonly idOf: Map<object, number>
  readonly named: Map<string, unknown>
  /** the class that a value function returned last: in the reference it is the one that complains about a circle */
  readonly returned: Map<string, string>
  calls: Array<string>
}

const isObject = (u: unknown): u is object => (typeof u === "object" && u !== null) || typeof u === "function"

const lookup = <A>(record: Readonly<Record<string, A>>, name: string): A => {
  const found = record[name]
  if (found === undefined) throw new Error(`the case does not declare "${name}"`)
  return found
}

const injectorNamed = (world: World, name: string): Injector.Any => {
  const found = world.named.get(name)
  if (!Injector.isInjector(found)) throw new Error(`"${name}" is no injector of this case`)
  return found
}

const linkTo = ({ levels, path }: This): unknown => {
  const steps = [...Array.from({ length: levels }, () => "^"), ...path.map((s) => ("attr" in s ? s.attr : s.item))]
  return Injector.link(...(steps as unknown as readonly [string]))
}

const componentOf = (world: World, name: string): unknown => {
  const known = world.components.get(name)
  if (known !== undefined) return known
  const { args, no_constructor } = lookup(world.declarations.classes, name)
  const dependencies = args.map((arg) => [
    arg.name,
    arg.default === undefined ? Injector.required() : Injector.optional(evaluate(world, arg.default, {}))
  ])
  const made = Injector.component(name, Object.fromEntries(dependencies), (given) => {
    if (no_constructor !== true) world.calls.push(name)
    const built = { ...given }
    world.classOf.set(built, name)
    return built
  })
  world.components.set(name, made)
  world.classOf.set(made, `class ${name}`)
  return made
}

const valueFrom = (world: World, attribute: string, name: string): unknown => {
  const { args, returns } = lookup(world.declarations.functions, name)
  const names = args.map((arg) =>
    arg.default === undefined ? arg.name : Injector.orElse(arg.name, evaluate(world, arg.default, {}))
  )
  const made = Injector.value(names, (...given: ReadonlyArray<unknown>) => {
    world.calls.push(name)
    const answer = evaluate(world, returns, Object.fromEntries(args.map((arg, i) => [arg.name, given[i]])))
    const label = isObject(answer) ? world.classOf.get(answer) : undefined
    if (label?.startsWith("class ") !== true) return answer
    world.returned.set(name, label.slice("class ".length))
    return attribute.endsWith("_class") ? Injector.raw(answer) : answer
  })
  world.functionOf.set(made, name)
  return made
}

const functionNamed = (world: World, name: string): unknown => {
  const bare = (): never => {
    throw new Error(`"${name}" is a plain value and must not be called`)
  }
  world.functionOf.set(bare, name)
  return bare
}

const evaluate = (world: World, e: Expression, args: Readonly<Record<string, unknown>>): unknown => {
  const all = (list: unknown): ReadonlyArray<unknown> =>
    (list as ReadonlyArray<Expression>).map((item) => evaluate(world, item, args))
  if ("value" in e) return e.value
  if ("arg" in e) return args[e.arg as string]
  if ("class" in e) return componentOf(world, e.class as string)
  if ("this" in e) return linkTo(e.this as This)
  if ("injector" in e) return injectorNamed(world, e.injector as string)
  if ("result" in e) return world.named.get(e.result as string)
  if ("function" in e) return functionNamed(world, e.function as string)
  if ("add" in e) return all(e.add).reduce((a, b) => (a as number) + (b as number))
  if ("mul" in e) return all(e.mul).reduce((a, b) => (a as number) * (b as number))
  if ("list" in e) return all(e.list)
  if ("if" in e)
    return evaluate(world, (evaluate(world, e.if as Expression, args) ? e.then : e.else) as Expression, args)
  if ("new" in e) return instanceOf(world, e, args)
  if ("raise" in e) throw new Error(e.raise as string)
  throw new Error(`unknown expression ${JSON.stringify(e)}`)
}

const instanceOf = (world: World, e: Expression, args: Readonly<Record<string, unknown>>): unknown => {
  const name = e.new as string
  const given = Object.entries((e.args ?? {}) as Readonly<Record<string, Expression>>)
  const names = lookup(world.declarations.classes, name).args.map((arg) => arg.name)
  const make = componentOf(world, name) as (dependencies: unknown) => unknown
  return make(
    Object.fromEntries(
      given.map(([key, of]) => [Array.isArray(e.args) ? names[Number(key)] : key, evaluate(world, of, args)])
    )
  )
}

const attributesOf = (world: World, attributes: Attributes): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, e]) => {
      if ("valueFn" in e) return [name, valueFrom(world, name, e.valueFn as string)]
      if ("valueOnClass" in e)
        return [name, Injector.value([], componentOf(world, e.valueOnClass as string) as () => unknown)]
      const made = evaluate(world, e, {})
      return [name, "class" in e && name.endsWith("_class") ? Injector.raw(made) : made]
    })
  )

// ---- steps --------------------------------------------------------------------------------------------------

type Made = { readonly value: unknown } | { readonly defined: string; readonly injectorName?: string } | Failed
type Failed = { readonly error: Failure }

/** A circle, or a link without a name, is refused when declared; the rest may still be repaired by an enclosing injector. */
const refusalOf = (world: World, injector: Injector.Any): Failure | undefined => {
  const finding = Injector.diagnose(injector).find(
    ({ kind, certain, message }) =>
      certain && (kind === "circular" || (kind === "invalid" && message.includes("names no attribute")))
  )
  if (finding === undefined) return undefined
  return finding.kind === "invalid" ? { kind: "invalid", about: "direct link" } : circle(world, injector, finding.path)
}

const lastOf = (dotted: string): string => dotted.split(".").at(-1) as string

const circle = (world: World, injector: Injector.Any, path: ReadonlyArray<string>): Failure => {
  const asker = path.at(-2)
  const label = asker === undefined ? undefined : labelOf(world, injector, asker)
  return { kind: "circular", attribute: lastOf(path.at(-1) as string), ...(label !== undefined && { consumer: label }) }
}

/** The class or function that stands behind an attribute. */
const labelOf = (world: World, injector: Injector.Any, attribute: string): string | undefined => {
  const behind = injector.table[attribute]
  const label = isObject(behind) ? world.classOf.get(behind) : undefined
  if (label !== undefined) return label.replace(/^class /, "")
  const function_ = isObject(behind) ? world.functionOf.get(behind) : undefined
  return function_ === undefined ? undefined : (world.returned.get(function_) ?? function_)
}

const failureOf = (world: World, injector: Injector.Any, error: unknown): Failure => {
  if (error instanceof MissingDependency) {
    const consumer = error.path.at(-1)
    return {
      kind: "missing",
      injector: error.injector,
      attribute: error.attribute,
      ...(consumer !== undefined && { consumer: lastOf(consumer) })
    }
  }
  if (error instanceof CircularDependency) return circle(world, injector, error.path)
  if (error instanceof InvalidDependency)
    return {
      kind: "invalid",
      about: error.attribute === "merge" ? "merge" : error.reason.includes("more levels") ? "levels" : "other"
    }
  if (error instanceof ConstructionFailed && error.cause instanceof Error)
    return { kind: "raised", message: error.cause.message }
  if (error instanceof TypeError) return { kind: "refused" }
  throw error
}

const declare = (world: World, name: string, make: () => Injector.Any, derived: boolean): Made => {
  try {
    const injector = make()
    const error = refusalOf(world, injector)
    if (error !== undefined) return { error }
    world.named.set(name, injector)
    return { defined: name, ...(derived && { injectorName: injector.name }) }
  } catch (error) {
    return { error: failureOf(world, Injector.empty, error) }
  }
}

const define = (world: World, name: string): Injector.Any => {
  const { bases, attributes } = lookup(world.declarations.injectors, name)
  const own = attributesOf(world, attributes)
  const parents = bases.filter((base) => base !== "Injector")
  if (parents.length === 0) return Injector.make(name, own)
  const part = (base: string): Injector.Any => (world.named.get(base) ?? componentOf(world, base)) as Injector.Any
  const inherited = parents.map(part).reduceRight((right, left) => Injector.merge(right, left))
  return Injector.named(Injector.let(inherited, own), name)
}

const attempt = (action: () => void): Failed | undefined => {
  try {
    action()
    return undefined
  } catch (error) {
    if (error instanceof TypeError) return { error: { kind: "refused" } }
    throw error
  }
}

const keep = (world: World, as: string | undefined, value: unknown): Made => {
  if (as !== undefined) world.named.set(as, value)
  return { value }
}

const take = async (world: World, step: Step): Promise<Made> => {
  switch (step.op) {
    case "define":
      return declare(world, step.name, () => define(world, step.name), false)
    case "let":
      return declare(
        world,
        step.as,
        () => Injector.let(injectorNamed(world, step.target), attributesOf(world, step.attributes)),
        true
      )
    case "and": {
      const [left, right] = [injectorNamed(world, step.left), injectorNamed(world, step.right)]
      return declare(world, step.as, () => Injector.named(Injector.merge(right, left), left.name), true)
    }
    case "get": {
      const injector = injectorNamed(world, step.target)
      const resolved = await Effect.runPromise(
        Effect.scoped(Effect.result(Injector.resolveUnknown(injector, [step.attr])))
      )
      return Result.isSuccess(resolved)
        ? keep(world, step.as, resolved.success[step.attr])
        : { error: failureOf(world, injector, resolved.failure) }
    }
    case "has":
      return { value: Injector.has(injectorNamed(world, step.target), step.attr) }
    case "set": {
      const table = injectorNamed(world, step.target).table as Record<string, unknown>
      return (
        attempt(() => {
          table[step.attr] = 0
        }) ?? { value: "assigned" }
      )
    }
    case "delete": {
      const table = injectorNamed(world, step.target).table as Record<string, unknown>
      return attempt(() => void delete table[step.attr]) ?? { value: "deleted" }
    }
    case "instantiate": {
      const injector = injectorNamed(world, step.target) as unknown as new () => unknown
      return attempt(() => void new injector()) ?? { value: "instantiated" }
    }
    case "same":
      return { value: world.named.get(step.left) === world.named.get(step.right) }
    case "field": {
      const value = step.path.reduce<unknown>(
        (built, name) => (built as Record<string, unknown>)[name],
        world.named.get(step.of)
      )
      return keep(world, step.as, value)
    }
    case "is_subclass": {
      const [whole, part] = [injectorNamed(world, step.target), injectorNamed(world, step.of)]
      return { value: part.layers.every((layer, i) => whole.layers[i] === layer) }
    }
  }
}

// ---- comparing ----------------------------------------------------------------------------------------------

/** A value as the vectors write it, with ids of our own. */
const written = (world: World, value: unknown): Record<string, unknown> => {
  if (Array.isArray(value)) return { list: value.map((item) => written(world, item)) }
  if (Injector.isInjector(value)) return { injectorRef: value.name }
  if (!isObject(value)) return { value }
  const function_ = world.functionOf.get(value)
  if (function_ !== undefined) return { functionRef: function_ }
  const label = world.classOf.get(value)
  if (label === undefined) return { value }
  if (label.startsWith("class ")) return { classRef: label.slice("class ".length) }
  const id = world.idOf.get(value) ?? world.idOf.size + 1
  world.idOf.set(value, id)
  const args = Object.entries(value).map(([name, arg]) => [name, written(world, arg)])
  return { instance: label, id, args: Object.fromEntries(args) }
}

const expectedFailure = ({ kind, message }: { readonly kind: string; readonly message: string }): Failure => {
  const missing = /^'(.*?)' can not resolve attribute '(.*?)'(?: while building '(.*?)')?$/.exec(message)
  if (missing !== null)
    return {
      kind: "missing",
      injector: missing[1] as string,
      attribute: missing[2] as string,
      ...(missing[3] !== undefined && { consumer: missing[3] })
    }
  const circular =
    /^'(.*?)' is a (?:circular dependency in the '(.*?)' constructor|circle link in the '.*?' injector)$/.exec(message)
  if (circular !== null)
    return {
      kind: "circular",
      attribute: circular[1] as string,
      ...(circular[2] !== undefined && { consumer: circular[2] })
    }
  if (message.includes("more times than Injector has levels")) return { kind: "invalid", about: "levels" }
  if (message.includes("use 'this' directly")) return { kind: "invalid", about: "direct link" }
  if (message.includes("allowed for Injector subclasses only")) return { kind: "invalid", about: "merge" }
  if (/modification is not allowed|Do not instantiate/.test(message)) return { kind: "refused" }
  return kind === "ValueError" ? { kind: "raised", message } : { kind: "host", message }
}

/** Where the reference names no consumer (a link asked), breve may still name the link. */
const sameFailure = (expected: Failure, actual: Failure): boolean =>
  Object.entries(expected).every(([key, value]) => (actual as Record<string, unknown>)[key] === value)

type Pairs = Map<unknown, unknown>

/** Equal but for ids, which must pair up one to one. */
const matches = (expected: unknown, actual: unknown, there: Pairs, back: Pairs, key?: string): boolean => {
  if (key === "id") {
    if (!there.has(expected) && !back.has(actual)) {
      there.set(expected, actual)
      back.set(actual, expected)
    }
    return there.get(expected) === actual && back.get(actual) === expected
  }
  if (!isObject(expected) || !isObject(actual)) return Object.is(expected, actual)
  const [left, right] = [expected as Record<string, unknown>, actual as Record<string, unknown>]
  const keys = Object.keys(left)
  return (
    Array.isArray(expected) === Array.isArray(actual) &&
    keys.length === Object.keys(right).length &&
    keys.every((k) => Object.hasOwn(right, k) && matches(left[k], right[k], there, back, k))
  )
}

const agrees = (
  expected: any,
  actual: { readonly error?: Failure; readonly calls: ReadonlyArray<string> },
  there: Pairs,
  back: Pairs
): boolean =>
  expected.error === undefined || actual.error === undefined
    ? matches(expected, actual, there, back)
    : sameFailure(expectedFailure(expected.error), actual.error) && matches(expected.calls, actual.calls, there, back)

export const replay: Replay = async (testCase: Case): Promise<Outcome> => {
  const declarations: Declarations = testCase.config
  const world: World = {
    declarations,
    components: new Map(),
    classOf: new WeakMap(),
    functionOf: new WeakMap(),
    idOf: new Map(),
    named: new Map(),
    returned: new Map(),
    calls: []
  }
  let [there, back]: [Pairs, Pairs] = [new Map(), new Map()]
  let deviates: string | undefined
  for (const [i, expected] of testCase.outputs.results.entries()) {
    const step = declarations.steps[i]
    if (step === undefined) return failed(`result ${i} has no step`)
    world.calls = []
    world.returned.clear()
    const made = await take(world, step)
    const result = "value" in made ? written(world, made.value) : made
    const actual = { ...result, calls: world.calls }
    const [thereNow, backNow] = [new Map(there), new Map(back)]
    if (agrees(expected, actual, thereNow, backNow)) {
      there = thereNow
      back = backNow
      continue
    }
    const rule = Deviations.explaining(testCase, expected, actual)
    if (rule === undefined)
      return failed(`step ${i} (${step.op}): expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`)
    deviates ??= rule.id
  }
  return deviates === undefined ? passed : deviation(deviates)
}
