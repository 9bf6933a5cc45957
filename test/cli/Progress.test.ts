/** Progress.ts: bars and tables as text; what `track` writes on a terminal and elsewhere. */
import { Effect, PlatformError, Ref, Terminal } from "effect"
import { TerminalCapabilities } from "effect/cli"
import { describe, expect, it } from "vitest"
import * as Progress from "../../src/cli/Progress.ts"

describe("Progress.bar", () => {
  it("fills to an eighth of a character and keeps its width", () => {
    expect(Progress.bar(0, 4)).toBe("    ")
    expect(Progress.bar(0.5, 4)).toBe("██  ")
    expect(Progress.bar(0.53125, 4)).toBe("██▏ ")
    expect(Progress.bar(0.999, 4)).toBe("███▉")
    expect(Progress.bar(1, 4)).toBe("████")
    for (let i = 0; i <= 100; i++) expect(Progress.bar(i / 100, 7)).toHaveLength(7)
  })

  it("takes fractions outside [0, 1] for its ends", () => {
    expect([-1, 2, Number.NaN].map((x) => Progress.bar(x, 2))).toEqual(["  ", "██", "  "])
  })
})

describe("Progress.render", () => {
  it("shows label, bar, percent, count and note", () => {
    expect(Progress.render({ label: "float", done: 210, total: 600, note: "loss 0.31" })).toBe(
      "float                    ▕███████             ▏  35 %  210/600  loss 0.31"
    )
    expect(Progress.render({ label: "x", done: 5, total: 600, note: "" })).toMatch(/ {3}0 % {4}5\/600$/)
  })

  it("never exceeds the terminal", () => {
    const state = { label: "float", done: 1, total: 2, note: "a very long note ".repeat(10) }
    expect(Progress.render(state, 60)).toHaveLength(60)
    expect(Progress.render(state, 60)).toMatch(/…$/)
    expect(Progress.render(state, 0)).toBe("…")
  })

  it("takes a task of no steps for done", () => {
    expect(Progress.render({ label: "x", done: 0, total: 0, note: "" })).toContain("100 %")
  })
})

describe("Progress.table", () => {
  it("aligns texts to the left and numbers to the right", () => {
    const rows = [
      ["float", 96.35, "-", "205,000", "12.5 ms"],
      ["Int8", 9.3, "96.5 %", "51,250", "9 ms"]
    ]
    expect(Progress.table(["network", "before", "after", "bytes", "step"], rows)).toBe(
      [
        "network  before   after    bytes     step",
        "───────  ──────  ──────  ───────  ───────",
        "float     96.35       -  205,000  12.5 ms",
        "Int8        9.3  96.5 %   51,250     9 ms"
      ].join("\n")
    )
  })

  it("stands without rows and without cells", () => {
    expect(Progress.table(["a", "b"], [])).toBe("a  b\n─  ─")
    expect(Progress.table(["a", "bb"], [["x"]])).toBe("a  bb\n─  ──\nx")
  })
})

/** What a task writes on a terminal of 70 columns, or where there is none. */
const written = (canAnimate: boolean, task: Effect.Effect<unknown, unknown, Terminal.Terminal>): string =>
  Effect.runSync(
    Effect.gen(function* () {
      const text = yield* Ref.make("")
      const terminal = Terminal.make({
        columns: Effect.succeed(70),
        rows: Effect.succeed(24),
        size: Effect.die("not used"),
        readInput: Effect.die("not used"),
        readLine: Effect.die("not used"),
        display: (more) => Ref.update(text, (before) => before + more)
      })
      yield* Effect.exit(
        task.pipe(
          Effect.provideService(Terminal.Terminal, terminal),
          Effect.provideService(TerminalCapabilities.TerminalCapabilities, {
            canAnimate,
            canColor: false,
            canPrompt: false
          })
        )
      )
      return yield* Ref.get(text)
    })
  )

describe("Progress.track", () => {
  const task = Progress.track("float", 2, ({ update }) =>
    Effect.gen(function* () {
      yield* update(1, "loss 0.5")
      yield* update(1, "loss 0.5")
      yield* update(2)
      return "result"
    })
  )

  it("redraws one line on a terminal, only when it changes, and ends it", () => {
    const lines = written(true, task).split("\r\u001b[2K")
    expect(lines[0]).toBe("")
    expect(lines.slice(1).map((line) => /(\d+ %) .*\/2 *(.*)/.exec(line)?.slice(1))).toEqual([
      ["0 %", ""],
      ["50 %", "loss 0.5"],
      ["100 %", "loss 0.5"]
    ])
    expect(lines.at(-1)).toMatch(/\n$/)
  })

  it("prints one line at the end elsewhere", () => {
    expect(written(false, task)).toBe("float                    2/2  loss 0.5\n")
  })

  it("prints nothing elsewhere for a failed task, and ends the line on a terminal", () => {
    const failing = Progress.track("float", 2, () => Effect.fail("no"))
    expect(written(false, failing)).toBe("")
    expect(written(true, failing)).toMatch(/0\/2\n$/)
  })

  it("hands on the task's result and error, also when the terminal fails", async () => {
    const broken = Terminal.make({
      columns: Effect.succeed(70),
      rows: Effect.succeed(24),
      size: Effect.die("not used"),
      readInput: Effect.die("not used"),
      readLine: Effect.die("not used"),
      display: () => Effect.fail(PlatformError.badArgument({ module: "Terminal", method: "display" }))
    })
    expect(await Effect.runPromise(Effect.provideService(task, Terminal.Terminal, broken))).toBe("result")
    const failing = Progress.track("x", 1, () => Effect.fail("no" as const))
    expect(await Effect.runPromise(Effect.flip(Effect.provideService(failing, Terminal.Terminal, broken)))).toBe("no")
  })

  it("prints lines", () => {
    expect(written(false, Progress.print("hello"))).toBe("hello\n")
  })
})
