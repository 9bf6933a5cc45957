/**
 * A reference to a scoped value that can be replaced while readers use it: new readers get the new value at once, and the
 * old one is released exactly once, now or after its last reader. A replacement that fails or is interrupted changes nothing.
 *
 * Why not effect's own: `ScopedRef` releases the old value under its readers and before the new one is visible; `RcRef` waits
 * for them but loses the old value when the replacement fails.
 *
 * Room: tensor (level 0). Imports: effect only. What it promises: test/tensor/LeasedRef.test.ts.
 */
import { Effect, Exit, MutableRef, Scope, Semaphore } from "effect"

// ---- model --------------------------------------------------------------------------------------------------

/** A value with the resources behind it and the number of those who are using it. */
interface Generation<A> {
  readonly scope: Scope.Closeable
  value: A
  leases: number
  /** Those who keep its scope open, but not what `set` replaces. */
  holds: number
  /** Takes no new leases; its scope closes when the last one ends. */
  retired: boolean
  /** What `set` replaced and somebody may still hold; only filled while there are leases. */
  readonly replaced: Array<() => void>
}

/** A replaceable scoped value. The fields are internal: use the functions below. */
export interface LeasedRef<in out A> {
  readonly generation: MutableRef.MutableRef<Generation<A>>
  /** Below the surrounding Scope; its closing retires whatever generation is here by then. */
  readonly owner: Scope.Closeable
  readonly lock: Semaphore.Semaphore
}

/** A value that was acquired but not yet swapped in; `ref` may be read, to check the value first. */
export interface Staged<in out A> {
  readonly ref: LeasedRef<A>
}

// ---- generations --------------------------------------------------------------------------------------------

/** Releases what nobody can be using any more. Each release runs, even when one before it dies. */
const settle = <A>(generation: Generation<A>): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (generation.leases > 0) return Effect.void
    const replaced = generation.replaced
      .splice(0)
      .reduce((before, release) => Effect.ensuring(before, Effect.sync(release)), Effect.void)
    return generation.retired && generation.holds === 0
      ? Effect.ensuring(replaced, Scope.close(generation.scope, Exit.void))
      : replaced
  })

const retire = <A>(generation: Generation<A>): Effect.Effect<void> =>
  Effect.suspend(() => {
    generation.retired = true
    return settle(generation)
  })

interface Lease<A> {
  readonly generation: Generation<A>
  readonly value: A
}

/** Interrupts if the scope of `ref` has closed: the value may be gone already. */
const lease = <A>(ref: LeasedRef<A>): Effect.Effect<Lease<A>> =>
  Effect.suspend(() => {
    const generation = MutableRef.get(ref.generation)
    if (generation.retired) return Effect.interrupt
    generation.leases += 1
    return Effect.succeed({ generation, value: generation.value })
  })

const end = <A>({ generation }: Lease<A>): Effect.Effect<void> =>
  Effect.suspend(() => {
    generation.leases -= 1
    return settle(generation)
  })

// ---- constructors -------------------------------------------------------------------------------------------

/**
 * Acquires the first value. It lives in the surrounding Scope: when that closes, the value of that time is released, or, if it
 * is in use, after its last reader. Acquiring can be interrupted.
 */
export const make = Effect.fn("LeasedRef.make")(
  <A, E, R>(acquire: Effect.Effect<A, E, R>): Effect.Effect<LeasedRef<A>, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const surrounding = yield* Effect.scope
        const scope = Scope.makeUnsafe()
        const value = yield* restore(Scope.provide(acquire, scope)).pipe(
          Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
        )
        const generation = MutableRef.make<Generation<A>>({
          scope,
          value,
          leases: 0,
          holds: 0,
          retired: false,
          replaced: []
        })
        const owner = Scope.forkUnsafe(surrounding)
        yield* Scope.addFinalizer(
          owner,
          Effect.suspend(() => retire(MutableRef.get(generation)))
        )
        // the surrounding scope closed meanwhile, so the line above has released the value
        if (owner.state._tag === "Closed") return yield* Effect.interrupt
        return { generation, owner, lock: Semaphore.makeUnsafe(1) }
      })
    )
)

/**
 * Acquires a value for a later `swap`, so that several references can be staged first and then swapped together. If the
 * surrounding Scope closes before the swap, the value is released.
 */
export const stage = Effect.fn("LeasedRef.stage")(
  <A, E, R>(acquire: Effect.Effect<A, E, R>): Effect.Effect<Staged<A>, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
    Effect.map(make(acquire), (ref) => ({ ref }))
)

// ---- reading ------------------------------------------------------------------------------------------------

/** The value, for a reader that neither yields nor keeps it: nothing can be swapped while it runs. */
export const current = <A>(ref: LeasedRef<A>): A => MutableRef.get(ref.generation).value

/** Keeps the value alive while `f` runs, over yields. Without a span: this is on the path of every forward pass. */
export const use = <A, B, E, R>(ref: LeasedRef<A>, f: (value: A) => Effect.Effect<B, E, R>): Effect.Effect<B, E, R> =>
  Effect.acquireUseRelease(lease(ref), ({ value }) => f(value), end)

/** Keeps the value alive until the reader's Scope closes. */
export const get = <A>(ref: LeasedRef<A>): Effect.Effect<A, never, Scope.Scope> =>
  Effect.map(Effect.acquireRelease(lease(ref), end), ({ value }) => value)

/**
 * Keeps the generation's scope open until the reader's Scope closes, without keeping values that `set` replaces: for one who has
 * made copies of the value, and needs what was acquired with it. Interrupts if the scope of `ref` has closed.
 */
export const hold = <A>(ref: LeasedRef<A>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.suspend(() => {
        const generation = MutableRef.get(ref.generation)
        if (generation.retired) return Effect.interrupt
        generation.holds += 1
        return Effect.succeed(generation)
      }),
      (generation) =>
        Effect.suspend(() => {
          generation.holds -= 1
          return settle(generation)
        })
    )
  )

// ---- replacing ----------------------------------------------------------------------------------------------

/**
 * Puts the staged value into `ref`, then retires the old one. If the scope of `ref` has closed, releases the staged value and
 * interrupts. Swapping the same staged value twice is a defect.
 */
export const swap = Effect.fn("LeasedRef.swap")(<A>(ref: LeasedRef<A>, staged: Staged<A>): Effect.Effect<void> => {
  const { generation, owner } = staged.ref
  return Effect.uninterruptible(
    Effect.suspend(() => {
      if (ref.owner.state._tag === "Closed") return Effect.andThen(Scope.close(owner, Exit.void), Effect.interrupt)
      if (owner.state._tag === "Closed") {
        return Effect.die(new Error("LeasedRef.swap: the staged value was swapped in before, or its Scope has closed"))
      }
      // the two references exchange their generations; closing the staged one's owner then retires the old value
      const old = MutableRef.get(ref.generation)
      MutableRef.set(ref.generation, MutableRef.get(generation))
      MutableRef.set(generation, old)
      return Scope.close(owner, Exit.void)
    })
  )
})

/** Acquires a new value, then swaps it in; one reload of `ref` at a time. While acquiring, failure or interruption keeps the old. */
export const reload = Effect.fn("LeasedRef.reload")(
  <A, E, R>(ref: LeasedRef<A>, acquire: Effect.Effect<A, E, R>): Effect.Effect<void, E, Exclude<R, Scope.Scope>> =>
    ref.lock.withPermit(Effect.scoped(Effect.flatMap(stage(acquire), (staged) => swap(ref, staged))))
)

/**
 * Replaces the value within its generation, whose scope goes on: a training step has computed new parameters. `release` disposes
 * what was replaced; it runs once, now or when the last lease of the generation ends. The new value belongs to the finalizers
 * of the generation. Call it in the same synchronous run as the `current` it builds on, or a swap may come between them.
 */
export const set = <A>(ref: LeasedRef<A>, value: A, release: () => void): void => {
  const generation = MutableRef.get(ref.generation)
  generation.value = value
  if (generation.leases > 0) generation.replaced.push(release)
  else release()
}
