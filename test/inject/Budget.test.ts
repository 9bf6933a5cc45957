/**
 * What the types of wiring cost: a catalogue of 60 injectors, 25 attributes each, three levels of merge and let, one resolve each.
 *
 * A small change to the types can make the compiler run for minutes; this notices it before a user does. The compiler's count
 * of instantiations is the same on every machine.
 */
import { spawn } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..")
/** About 1.5 times what was measured: 625 and 636 thousand. */
const BUDGET = { dataFirst: 940_000, piped: 950_000 }
const SECONDS = 60

const injector = (i: number, piped: boolean): string => {
  const leaves = Array.from({ length: 12 }, (_, k) => `p${k}: ${i + k}`)
  const parts = Array.from(
    { length: 8 },
    (_, k) =>
      `c${k}: Injector.component("C${i}_${k}", { p${k}: Injector.required<number>(), ${
        k === 0 ? "" : `c${k - 1}: Injector.required<Part>(), `
      }o${k}: Injector.optional(${k}) }, (): Part => ({ part: ${k} }))`
  )
  const impl = `Injector.make("Impl${i}", { ${parts.join(", ")} })`
  const hyper = `Injector.make("Hyper${i}", { ${leaves.join(", ")} })`
  const solved = `Injector.make("Solved${i}", {
    top: Injector.component("Top${i}", { c7: Injector.required<Part>(), w: Injector.required<Part>(), s: Injector.required<number>() }, (): Part => ({ part: ${i} })),
    w: Injector.value(["flag"], (flag: boolean) => (flag ? Injector.link("c3") : Injector.link("c4"))),
    s: Injector.value(["p8", "p9"], (a: number, b: number) => a + b),
    d: Injector.choose("kind", { one: Injector.link("p10"), two: Injector.link("p11") }),
    flag: true as boolean,
    kind: "one"
  })`
  return piped
    ? `export const r${i} = ${impl}.pipe(Injector.merge(${hyper}), Injector.merge(${solved}), Injector.let({ p0: 7, o3: 1 }), Injector.resolve("top"))`
    : `const i${i} = ${impl}
const h${i} = Injector.merge(i${i}, ${hyper})
const s${i} = Injector.merge(h${i}, ${solved})
const l${i} = Injector.let(s${i}, { p0: 7, o3: 1 })
export const r${i} = Injector.resolve(l${i}, "top")`
}

const catalogue = (from: string, piped: boolean): string =>
  [
    `import * as Injector from ${JSON.stringify(from)}`,
    "interface Part { readonly part: number }",
    ...Array.from({ length: 60 }, (_, i) => injector(i, piped))
  ].join("\n")

const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc")

/** Runs the compiler on one file; kills it when it takes too long. */
const diagnostics = (
  project: string
): Promise<{ readonly status: number | null; readonly output: string; readonly killed: boolean }> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [compiler, "-p", project, "--extendedDiagnostics"], {
      detached: true,
      env: { ...process.env, GOMEMLIMIT: "2GiB" },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let output = ""
    let killed = false
    const timer = setTimeout(() => {
      killed = true
      // The whole group: the compiler is a child of its launcher.
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
    }, SECONDS * 1000)
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += String(text)))
    child.on("error", reject)
    child.on("close", (status) => {
      clearTimeout(timer)
      resolve({ status, output, killed })
    })
  })

const instantiations = async (piped: boolean): Promise<number> => {
  const cache = join(root, "node_modules", ".cache")
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, "breve-budget-"))
  try {
    const file = join(folder, "catalogue.ts")
    await writeFile(file, catalogue(relative(folder, join(root, "src", "inject", "Injector.ts")), piped))
    const project = join(folder, "tsconfig.json")
    const compilerOptions = { noEmit: true, rootDir: root, types: [] }
    await writeFile(
      project,
      JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions, include: [], files: [file] })
    )
    const { status, output, killed } = await diagnostics(project)
    if (killed) expect.fail(`the compiler was killed after ${SECONDS} s`)
    if (status !== 0) expect.fail(output)
    return Number(/Instantiations:\s+(\d+)/.exec(output)?.[1] ?? Number.NaN)
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe("the compiler's work on a catalogue of 60 injectors", () => {
  it("is within budget, data first", async () => {
    expect(await instantiations(false)).toBeLessThan(BUDGET.dataFirst)
  }, 90_000)
  it("is within budget, in pipes", async () => {
    expect(await instantiations(true)).toBeLessThan(BUDGET.piped)
  }, 90_000)
})
