import * as tf from "@tensorflow/tfjs-core"
import "@tensorflow/tfjs-backend-cpu"
import { Cause, Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { beforeAll, describe, expect, expectTypeOf, it } from "vitest"
import * as LeasedRef from "../../src/tensor/LeasedRef.ts"

beforeAll(async () => {
  await tf.setBackend("cpu")
})

/** What happened, in order: "+a" acquired, "-a" released. */
const journal = () => {
  const events: Array<string> = []
  const note = (event: string) => Effect.sync(() => void events.push(event))
  const own = (name: string) => Effect.acquireRelease(Effect.as(note(`+${name}`), name), (it) => note(`-${it}`))
  return { events, note, own }
}

const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
  })

const interrupted = (exit: Exit.Exit<unknown, unknown>) => Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)

describe("LeasedRef.make", () => {
  scopedTest("releases the value of the time when its scope closes", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const ref = yield* LeasedRef.make(own("a"))
          yield* LeasedRef.reload(ref, own("b"))
          expect(LeasedRef.current(ref)).toBe("b")
        })
      )
      expect(events).toEqual(["+a", "+b", "-a", "-b"])
    })
  )

  scopedTest("leaves the release to the last reader, and lets no new one in", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      const scope = yield* Scope.make()
      const ref = yield* Scope.provide(LeasedRef.make(own("a")), scope)
      yield* LeasedRef.use(ref, (value) =>
        Effect.gen(function* () {
          yield* Scope.close(scope, Exit.void)
          expect([value, ...events]).toEqual(["a", "+a"])
          expect(interrupted(yield* Effect.exit(LeasedRef.use(ref, () => Effect.void)))).toBe(true)
          expect(events).toEqual(["+a"])
        })
      )
      expect(events).toEqual(["+a", "-a"])
    })
  )

  scopedTest("a failing acquisition releases what it had", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      expect(yield* Effect.flip(LeasedRef.make(Effect.andThen(own("a"), Effect.fail("no"))))).toBe("no")
      expect(events).toEqual(["+a", "-a"])
    })
  )

  scopedTest("interrupts if the scope closes during the acquisition", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      const scope = yield* Scope.make()
      const acquire = Effect.tap(own("a"), () => Scope.close(scope, Exit.void))
      const exit = yield* Effect.exit(Scope.provide(LeasedRef.make(acquire), scope))
      expect(interrupted(exit)).toBe(true)
      expect(events).toEqual(["+a", "-a"])
    })
  )

  it("asks for what the acquisition asks for, and a Scope", () => {
    const acquire = Effect.as(Effect.scope, 1)
    expectTypeOf(LeasedRef.make(acquire)).toEqualTypeOf<
      Effect.Effect<LeasedRef.LeasedRef<number>, never, Scope.Scope>
    >()
    expectTypeOf(
      Effect.flatMap(LeasedRef.make(acquire), (ref) =>
        LeasedRef.reload(ref, Effect.andThen(acquire, Effect.fail("no")))
      )
    ).toEqualTypeOf<Effect.Effect<void, string, Scope.Scope>>()
  })
})

describe("LeasedRef.swap", () => {
  scopedTest("shows the new value before anything of the old one is released", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const ref: LeasedRef.LeasedRef<string> = yield* LeasedRef.make(
        Effect.acquireRelease(Effect.succeed("a"), () => Effect.sync(() => seen.push(LeasedRef.current(ref))))
      )
      yield* LeasedRef.swap(ref, yield* LeasedRef.stage(Effect.succeed("b")))
      expect(seen).toEqual(["b"])
    })
  )

  scopedTest("stages several, then swaps them together; one failing leaves all as they were", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      const one = yield* LeasedRef.make(own("1"))
      const two = yield* LeasedRef.make(own("2"))
      const both = (second: Effect.Effect<string, string, Scope.Scope>) =>
        Effect.scoped(
          Effect.gen(function* () {
            const first = yield* LeasedRef.stage(own("1'"))
            const then = yield* LeasedRef.stage(second)
            expect([LeasedRef.current(one), LeasedRef.current(two)]).toEqual(["1", "2"])
            yield* LeasedRef.swap(one, first)
            yield* LeasedRef.swap(two, then)
          })
        )
      expect(yield* Effect.flip(both(Effect.andThen(own("2'"), Effect.fail("no"))))).toBe("no")
      expect([LeasedRef.current(one), LeasedRef.current(two)]).toEqual(["1", "2"])
      expect(events.splice(0)).toEqual(["+1", "+2", "+1'", "+2'", "-2'", "-1'"])
      yield* both(own("2'"))
      expect([LeasedRef.current(one), LeasedRef.current(two)]).toEqual(["1'", "2'"])
      expect(events).toEqual(["+1'", "+2'", "-1", "-2"])
    })
  )

  scopedTest("into a closed reference: releases the staged value and interrupts", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      const scope = yield* Scope.make()
      const ref = yield* Scope.provide(LeasedRef.make(own("a")), scope)
      const staged = yield* LeasedRef.stage(own("b"))
      yield* Scope.close(scope, Exit.void)
      expect(interrupted(yield* Effect.exit(LeasedRef.swap(ref, staged)))).toBe(true)
      expect(interrupted(yield* Effect.exit(LeasedRef.reload(ref, own("c"))))).toBe(true)
      expect(events).toEqual(["+a", "+b", "-a", "-b", "+c", "-c"])
    })
  )

  scopedTest("the same staged value twice: a defect, and the value stays", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      const ref = yield* LeasedRef.make(own("a"))
      const staged = yield* LeasedRef.stage(own("b"))
      yield* LeasedRef.swap(ref, staged)
      const exit = yield* Effect.exit(LeasedRef.swap(ref, staged))
      expect(Exit.isFailure(exit) && Cause.hasDies(exit.cause)).toBe(true)
      expect(LeasedRef.current(ref)).toBe("b")
      expect(events).toEqual(["+a", "+b", "-a"])
    })
  )

  scopedTest("is not interrupted half way", () =>
    Effect.gen(function* () {
      const { events, note } = journal()
      const slow = Effect.acquireRelease(Effect.succeed("a"), () =>
        Effect.andThen(note("closing"), Effect.andThen(Effect.yieldNow, note("closed")))
      )
      const ref = yield* LeasedRef.make(slow)
      const fiber = yield* Effect.forkChild(LeasedRef.reload(ref, Effect.succeed("b")))
      while (!events.includes("closing")) yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      expect(events).toEqual(["closing", "closed"])
      expect(LeasedRef.current(ref)).toBe("b")
    })
  )

  scopedTest("a release that dies does not bring the old value back", () =>
    Effect.gen(function* () {
      const ref = yield* LeasedRef.make(Effect.acquireRelease(Effect.succeed("a"), () => Effect.die("release")))
      expect(Exit.isFailure(yield* Effect.exit(LeasedRef.reload(ref, Effect.succeed("b"))))).toBe(true)
      expect(LeasedRef.current(ref)).toBe("b")
      yield* LeasedRef.reload(ref, Effect.succeed("c"))
      expect(LeasedRef.current(ref)).toBe("c")
    })
  )
})

describe("LeasedRef.stage", () => {
  scopedTest("leaves nothing behind in the surrounding scope once it was swapped in", () =>
    Effect.gen(function* () {
      const ref = yield* LeasedRef.make(Effect.succeed(0))
      const scope = yield* Scope.make()
      for (let i = 0; i < 10; i++)
        yield* LeasedRef.swap(ref, yield* Scope.provide(LeasedRef.stage(Effect.succeed(i)), scope))
      expect(scope.state._tag).toBe("Empty")
      expect(LeasedRef.current(ref)).toBe(9)
    })
  )
})

describe("LeasedRef.reload", () => {
  scopedTest("failure and interruption keep the old value and release what was acquired", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      const ref = yield* LeasedRef.make(own("a"))
      expect(yield* Effect.flip(LeasedRef.reload(ref, Effect.andThen(own("b"), Effect.fail("no"))))).toBe("no")
      const begun = yield* Deferred.make<void>()
      const hangs = own("c").pipe(
        Effect.tap(() => Deferred.succeed(begun, undefined)),
        Effect.andThen(Effect.never)
      )
      const fiber = yield* Effect.forkChild(LeasedRef.reload(ref, hangs))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(fiber)
      expect(LeasedRef.current(ref)).toBe("a")
      expect(events).toEqual(["+a", "+b", "-b", "+c", "-c"])
    })
  )

  scopedTest("one at a time", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      const ref = yield* LeasedRef.make(own("a"))
      const slow = (name: string) => Effect.tap(own(name), () => Effect.yieldNow)
      yield* Effect.all([LeasedRef.reload(ref, slow("b")), LeasedRef.reload(ref, slow("c"))], { concurrency: 2 })
      expect(events).toEqual(["+a", "+b", "-a", "+c", "-b"])
    })
  )
})

describe("LeasedRef.use and LeasedRef.get", () => {
  scopedTest("the old value goes after its last reader, however that ends", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      const ref = yield* LeasedRef.make(own("a"))
      const reading = yield* Scope.make()
      expect(yield* Scope.provide(LeasedRef.get(ref), reading)).toBe("a")
      const ready = yield* Deferred.make<void>()
      const hangs = yield* Effect.forkChild(
        LeasedRef.use(ref, () => Effect.andThen(Deferred.succeed(ready, undefined), Effect.never))
      )
      yield* Deferred.await(ready)
      yield* LeasedRef.use(ref, () => Effect.andThen(LeasedRef.reload(ref, own("b")), Effect.fail("no"))).pipe(
        Effect.flip
      )
      yield* Effect.exit(
        LeasedRef.use(ref, (value): Effect.Effect<never> => {
          expect(value).toBe("b")
          throw new Error("before any effect")
        })
      )
      yield* Fiber.interrupt(hangs)
      expect(events).toEqual(["+a", "+b"])
      yield* Scope.close(reading, Exit.void)
      expect(events).toEqual(["+a", "+b", "-a"])
      yield* LeasedRef.reload(ref, own("c"))
      expect(events).toEqual(["+a", "+b", "-a", "+c", "-b"])
    })
  )
})

describe("LeasedRef.set", () => {
  scopedTest("releases what it replaced at once if nobody reads", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      const ref = yield* LeasedRef.make(own("a"))
      LeasedRef.set(ref, "a'", () => events.push("-part"))
      expect(events).toEqual(["+a", "-part"])
      expect(LeasedRef.current(ref)).toBe("a'")
      yield* LeasedRef.reload(ref, own("b"))
      expect(events).toEqual(["+a", "-part", "+b", "-a"])
    })
  )

  scopedTest("else after the last lease of the generation, before the generation itself, each once", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      const ref = yield* LeasedRef.make(own("a"))
      yield* LeasedRef.use(ref, (value) =>
        Effect.gen(function* () {
          yield* Effect.scoped(LeasedRef.get(ref))
          LeasedRef.set(ref, "a'", () => events.push("-1"))
          LeasedRef.set(ref, "a''", () => events.push("-2"))
          expect([value, LeasedRef.current(ref)]).toEqual(["a", "a''"])
          expect(yield* Effect.scoped(LeasedRef.get(ref))).toBe("a''")
          expect(events).toEqual(["+a"])
        })
      )
      expect(events.splice(0)).toEqual(["+a", "-1", "-2"])
      yield* LeasedRef.use(ref, () =>
        Effect.gen(function* () {
          LeasedRef.set(ref, "a", () => events.push("-3"))
          yield* LeasedRef.reload(ref, own("b"))
          LeasedRef.set(ref, "b'", () => events.push("-4"))
          expect(events).toEqual(["+b", "-4"])
        })
      )
      expect(events).toEqual(["+b", "-4", "-3", "-a"])
    })
  )

  scopedTest("a release that throws does not keep the others from running", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      const ref = yield* LeasedRef.make(own("a"))
      const exit = yield* Effect.exit(
        LeasedRef.use(ref, () =>
          Effect.gen(function* () {
            LeasedRef.set(ref, "a'", () => {
              throw new Error("release")
            })
            LeasedRef.set(ref, "a''", () => events.push("-2"))
            yield* LeasedRef.reload(ref, own("b"))
          })
        )
      )
      expect(Exit.isFailure(exit)).toBe(true)
      expect(events).toEqual(["+a", "+b", "-2", "-a"])
    })
  )
})

describe("LeasedRef with tensors", () => {
  interface Layer {
    readonly weight: tf.Tensor
    readonly parameters: tf.Tensor
  }

  it("1,000 reloads, failures and interruptions among readers and sets: all is released, once, and never early", async () => {
    const before = tf.memory().numTensors
    const problems: Array<string> = []
    const held = new Map<tf.Tensor, number>()
    const weights = new Set<tf.Tensor>()
    const count = { acquired: 0, released: 0, swaps: 0, failures: 0, interruptions: 0, reads: 0, sets: 0, late: 0 }
    const random = ((state) => (below: number) => {
      state.n = (Math.imul(state.n, 1664525) + 1013904223) >>> 0
      return Math.floor((state.n / 2 ** 32) * below)
    })({ n: 7 })

    const own = (value: number): tf.Tensor => {
      count.acquired++
      return tf.scalar(value)
    }
    const free = (tensor: tf.Tensor): void => {
      if (tensor.isDisposed) problems.push("released twice")
      if ((held.get(tensor) ?? 0) > 0) problems.push("released while held")
      count.released++
      weights.delete(tensor)
      tensor.dispose()
    }
    const hold = (layer: Layer, by: number): void => {
      for (const tensor of [layer.weight, layer.parameters]) held.set(tensor, (held.get(tensor) ?? 0) + by)
    }

    /** Which parameters are a generation's own by now: what its finalizer has to release. */
    const latest = new WeakMap<tf.Tensor, tf.Tensor>()
    const acquire = (between: Effect.Effect<void, string>): Effect.Effect<Layer, string, Scope.Scope> =>
      Effect.gen(function* () {
        const weight = yield* Effect.acquireRelease(
          Effect.sync(() => own(random(100))),
          (tensor) => Effect.sync(() => free(tensor))
        )
        weights.add(weight)
        yield* between
        const parameters = yield* Effect.acquireRelease(
          Effect.sync(() => own(random(100))),
          (first) => Effect.sync(() => free(latest.get(weight) ?? first))
        )
        yield* between
        return { weight, parameters }
      })
    const pause = (most: number) => Effect.suspend(() => Effect.replicateEffect(Effect.yieldNow, random(most + 1)))

    const read = (layer: Layer) =>
      Effect.gen(function* () {
        hold(layer, 1)
        yield* pause(6)
        if (layer.weight.isDisposed || layer.parameters.isDisposed) problems.push("disposed under a reader")
        count.reads++
      }).pipe(Effect.ensuring(Effect.sync(() => hold(layer, -1))))

    const set = (ref: LeasedRef.LeasedRef<Layer>) => {
      const old = LeasedRef.current(ref)
      const parameters = own(random(100))
      latest.set(old.weight, parameters)
      count.sets++
      LeasedRef.set(ref, { ...old, parameters }, () => free(old.parameters))
      if (!old.parameters.isDisposed) count.late++
    }

    const reload = Effect.fnUntraced(function* (ref: LeasedRef.LeasedRef<Layer>) {
      const old = LeasedRef.current(ref).weight
      const kind = random(5)
      if (kind === 0) {
        yield* Effect.flip(LeasedRef.reload(ref, Effect.andThen(acquire(Effect.yieldNow), Effect.fail("no"))))
        count.failures++
        if (LeasedRef.current(ref).weight !== old) problems.push("a failure changed the value")
      } else if (kind === 1) {
        // hangs for certain after one or after two acquisitions
        const begun = yield* Deferred.make<void>()
        const hang = Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
        const hanging = random(2) === 0 ? acquire(hang) : Effect.andThen(acquire(Effect.void), hang)
        const fiber = yield* Effect.forkChild(LeasedRef.reload(ref, hanging))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(fiber)
        count.interruptions++
        if (LeasedRef.current(ref).weight !== old) problems.push("an interruption changed the value")
      } else if (kind === 2) {
        // interrupted anywhere: before, while or after acquiring
        const fiber = yield* Effect.forkChild(LeasedRef.reload(ref, acquire(Effect.yieldNow)))
        yield* pause(5)
        yield* Fiber.interrupt(fiber)
        if (LeasedRef.current(ref).weight === old) count.interruptions++
        else count.swaps++
      } else {
        yield* LeasedRef.reload(ref, acquire(random(2) === 0 ? Effect.void : Effect.yieldNow))
        count.swaps++
        if (LeasedRef.current(ref).weight === old) problems.push("a reload changed nothing")
      }
    })

    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const ref = yield* LeasedRef.make(acquire(Effect.void))
          const reader = (i: number) =>
            Effect.forever(
              Effect.andThen(
                i % 2 === 0 ? LeasedRef.use(ref, read) : Effect.scoped(Effect.flatMap(LeasedRef.get(ref), read)),
                pause(4)
              )
            )
          const readers = yield* Effect.forEach([0, 1, 2, 3, 4], (i) => Effect.forkChild(reader(i)))
          for (let i = 0; i < 1000; i++) {
            yield* reload(ref)
            for (let j = random(3); j > 0; j--) set(ref)
            yield* pause(3)
            // the current generation, and at most one old one for each of up to six readers
            if (weights.size > 1 + 6) problems.push("piles up")
            if (i % 50 === 0) {
              const doomed = yield* Effect.forkChild(reader(i / 50))
              yield* pause(5)
              yield* Fiber.interrupt(doomed)
            }
          }
          yield* Fiber.interruptAll(readers)
          expect(tf.memory().numTensors - before).toBe(2)
        })
      )
    )

    expect(problems).toEqual([])
    expect(count.released).toBe(count.acquired)
    expect(tf.memory().numTensors).toBe(before)
    expect([...held.values()].every((n) => n === 0)).toBe(true)
    // that all of it happened, and often
    expect(count.swaps + count.failures + count.interruptions).toBe(1000)
    for (const n of [count.swaps, count.failures, count.interruptions, count.reads, count.sets, count.late]) {
      expect(n).toBeGreaterThan(100)
    }
  })
})

describe("LeasedRef.hold", () => {
  scopedTest(
    "keeps what was acquired open, over a reload and the end of the reference, and not what set replaces",
    () =>
      Effect.gen(function* () {
        const { events, own } = journal()
        const scope = yield* Scope.make()
        const ref = yield* Scope.provide(LeasedRef.make(own("a")), scope)
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* LeasedRef.hold(ref)
            LeasedRef.set(ref, "a2", () => void events.push("-replaced"))
            expect(events).toEqual(["+a", "-replaced"])
            yield* LeasedRef.reload(ref, own("b"))
            yield* Effect.scoped(LeasedRef.hold(ref))
            yield* Scope.close(scope, Exit.void)
            expect(events).toEqual(["+a", "-replaced", "+b", "-b"])
            expect(interrupted(yield* Effect.exit(Effect.scoped(LeasedRef.hold(ref))))).toBe(true)
          })
        )
        expect(events).toEqual(["+a", "-replaced", "+b", "-b", "-a"])
      })
  )

  scopedTest("two that hold and one that reads: the last one releases", () =>
    Effect.gen(function* () {
      const { events, own } = journal()
      const [owner, first, second] = [yield* Scope.make(), yield* Scope.make(), yield* Scope.make()]
      const ref = yield* Scope.provide(LeasedRef.make(own("a")), owner)
      yield* Scope.provide(LeasedRef.hold(ref), first)
      yield* Scope.provide(LeasedRef.hold(ref), second)
      yield* LeasedRef.use(ref, () =>
        Effect.gen(function* () {
          yield* Scope.close(owner, Exit.void)
          yield* Scope.close(first, Exit.void)
        })
      )
      expect(events).toEqual(["+a"])
      yield* Scope.close(second, Exit.void)
      expect(events).toEqual(["+a", "-a"])
    })
  )
})
