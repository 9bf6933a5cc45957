/**
 * What a command shows while it works: a bar that is redrawn in one line, and plain text tables.
 *
 * On a terminal the line of a task is redrawn; elsewhere (a file, the log of a build server) each finished task prints one line.
 *
 * Room: cli (level 6). Imports: effect, effect/cli.
 */
import { Effect, Exit, Ref, Terminal } from "effect"
import { TerminalCapabilities } from "effect/cli"

// ---- model --------------------------------------------------------------------------------------------------

/** How far a task has come. */
export interface State {
  readonly label: string
  readonly done: number
  readonly total: number
  /** what there is to know beside the count: a loss, an accuracy; may be empty */
  readonly note: string
}

/** What a running task reports through. */
export interface Handle {
  /** `done` of the task's `total` are done; the note stays where none is given */
  readonly update: (done: number, note?: string) => Effect.Effect<void>
}

/** A cell of a table; numbers are shown as they are, so round them before. */
export type Cell = string | number

// ---- pure ---------------------------------------------------------------------------------------------------

/** A bar of `width` characters, `fraction` of them full, to an eighth of a character; fractions outside [0, 1] count as its ends. */
export const bar = (fraction: number, width: number): string => {
  const eighths = Math.floor(8 * width * Math.min(1, Math.max(0, Number.isNaN(fraction) ? 0 : fraction)))
  const part = " ▏▎▍▌▋▊▉"[eighths % 8] ?? ""
  const full = "█".repeat(Math.floor(eighths / 8))
  return full.length < width ? (full + part).padEnd(width) : full
}

const share = ({ done, total }: State): number => (total > 0 ? done / total : 1)

/** The line of a task, at most `columns` characters: `train    ███▌      35 %  210/600  loss 0.31`. */
export const render = (state: State, columns: number = 80): string => {
  const percent = `${Math.floor(100 * Math.min(1, Math.max(0, share(state))))}`.padStart(3)
  const count = `${state.done}/${state.total}`.padStart(2 * `${state.total}`.length + 1)
  const line = `${state.label.padEnd(24)} ▕${bar(share(state), 20)}▏ ${percent} %  ${count}  ${state.note}`.trimEnd()
  return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`
}

/** The one line of a finished task, where nothing can be redrawn. */
export const summary = (state: State): string =>
  `${state.label.padEnd(24)} ${state.done}/${state.total}  ${state.note}`.trimEnd()

/** Columns two spaces apart under their headers and a rule; columns of numbers (also "98.1 %", "-", "") to the right. */
export const table = (headers: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<Cell>>): string => {
  const cells = rows.map((row) => headers.map((_, column) => `${row[column] ?? ""}`))
  const columns = headers.map((header, column) => {
    const values = cells.map((row) => row[column] ?? "")
    return {
      width: Math.max(header.length, ...values.map((value) => value.length)),
      right:
        values.some((value) => numeric.test(value)) && values.every((value) => numeric.test(value) || blank.test(value))
    }
  })
  const format = (row: ReadonlyArray<string>): string =>
    columns
      .map(({ width, right }, column) => {
        const value = row[column] ?? ""
        return right ? value.padStart(width) : value.padEnd(width)
      })
      .join("  ")
      .trimEnd()
  return [format(headers), format(columns.map(({ width }) => "─".repeat(width))), ...cells.map(format)].join("\n")
}

/** A number, signed or not, with groups, fraction and exponent, and perhaps a unit after a space or a percent sign or an x. */
const numeric = /^[+\-−]?\d[\d, ]*(\.\d+)?(e[+-]?\d+)?(\s?(%|x|×|[A-Za-zµ]{1,3}))?$/
const blank = /^[-–—]?$/

// ---- effects ------------------------------------------------------------------------------------------------

/** Takes the cursor to the start of the line and wipes it. */
const wipe = "\r\u001b[2K"

/**
 * Shows the progress of `run` while it runs. A finished task leaves its last line; a failed or interrupted one leaves its line as it
 * stands, so that the error's message starts on a line of its own. A terminal that cannot be written to does not stop the task.
 */
export const track = Effect.fn("Progress.track")(function* <A, E, R>(
  label: string,
  total: number,
  run: (handle: Handle) => Effect.Effect<A, E, R>
): Effect.fn.Return<A, E, R | Terminal.Terminal> {
  const terminal = yield* Terminal.Terminal
  const { canAnimate } = yield* TerminalCapabilities.TerminalCapabilities
  const state = yield* Ref.make<State>({ label, done: 0, total, note: "" })
  const shown = yield* Ref.make("")
  const show = (text: string): Effect.Effect<void> => Effect.ignore(terminal.display(text))

  const redraw = Effect.gen(function* () {
    // One column stays free: a line that fills the terminal would wrap and could not be wiped.
    const line = render(yield* Ref.get(state), (yield* terminal.columns) - 1)
    if (line !== (yield* Ref.getAndSet(shown, line))) yield* show(wipe + line)
  })
  const update: Handle["update"] = (done, note) =>
    Effect.andThen(
      Ref.update(state, (old) => ({ ...old, done, note: note ?? old.note })),
      canAnimate ? redraw : Effect.void
    )
  const finish = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
    canAnimate
      ? show("\n")
      : Exit.isSuccess(exit)
        ? Effect.flatMap(Ref.get(state), (last) => show(`${summary(last)}\n`))
        : Effect.void

  if (canAnimate) yield* redraw
  return yield* Effect.onExit(run({ update }), finish)
})

/** Prints a line of text; like the bars, it does not fail when nobody listens. */
export const print = Effect.fn("Progress.print")(function* (
  text: string
): Effect.fn.Return<void, never, Terminal.Terminal> {
  const terminal = yield* Terminal.Terminal
  yield* Effect.ignore(terminal.display(`${text}\n`))
})
