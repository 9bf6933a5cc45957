/**
 * Subjects on the plain backend: that of a pack is otherwise WASM.
 */
import { Effect } from "effect"
import * as Backend from "../../src/backend/Backend.ts"
import type { Made } from "./Pack.ts"

/** The same subject, with the plain backend selected while its laws run. */
export const onCpu = <S>(subject: S): Made<S> =>
  Effect.as(Effect.provide(Backend.Backend, Backend.cpu, { local: true }), subject)
