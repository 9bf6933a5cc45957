/**
 * What resolving an injector can fail with.
 *
 * Room: tensor (level 0). Imports: effect's `Data`, `./Nearest.ts`, `./Place.ts`.
 */
import { Data } from "effect"
import { hint } from "./Nearest.ts"
import { trail } from "./Place.ts"

/** An attribute that a resolution needs is not in the injector. */
export class MissingDependency<const out N extends string = string> extends Data.TaggedError("MissingDependency")<{
  readonly injector: string
  readonly attribute: N
  /** who asked: from the requested attribute down to the one that needs the missing name */
  readonly path: ReadonlyArray<string>
  readonly nearest: string | undefined
}> {
  override get message(): string {
    const asked = this.path.length === 0 ? "" : `, needed by ${this.path.join(" > ")}`
    return `${this.injector} has no attribute "${this.attribute}"${asked}${this.nearest === undefined ? "; add it with let or merge" : hint(this.nearest)}`
  }
}

/** An attribute needs itself; the first and the last name of the path are the same. */
export class CircularDependency extends Data.TaggedError("CircularDependency")<{
  readonly injector: string
  readonly path: ReadonlyArray<string>
}> {
  override get message(): string {
    return `${this.injector} has a circular dependency${trail(this.path)}; break the circle by overriding one of these names.`
  }
}

/** A constructor or a value function threw. */
export class ConstructionFailed extends Data.TaggedError("ConstructionFailed")<{
  readonly injector: string
  readonly attribute: string
  readonly path: ReadonlyArray<string>
  readonly cause: unknown
}> {
  override get message(): string {
    const cause = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `${this.injector} failed to build "${this.attribute}"${trail(this.path)}: ${cause}`
  }
}

/** An attribute is there but cannot serve: a branch without a case for its flag, a link that leads nowhere. */
export class InvalidDependency extends Data.TaggedError("InvalidDependency")<{
  readonly injector: string
  readonly attribute: string
  readonly path: ReadonlyArray<string>
  readonly reason: string
}> {
  override get message(): string {
    return `${this.injector} cannot use "${this.attribute}"${trail(this.path)}: ${this.reason}`
  }
}

export type ResolutionError = MissingDependency | CircularDependency | ConstructionFailed | InvalidDependency
