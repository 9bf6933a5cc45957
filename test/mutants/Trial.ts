/**
 * A trial of a mutant: the packs of laws are bundled with the mutant in the place of its text, and judged in a process of their own.
 *
 * Nothing but laws is run, and the sources stay as they are: the mutant stands in the bundle alone.
 */
import { execFile } from "node:child_process"
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build, type Plugin } from "esbuild"
import type { Judgement } from "./Judge.ts"
import { applied, isAssembly, type Mutant } from "./Mutant.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const cache = join(root, "node_modules/.cache/breve/mutants")
const limit = 400_000 // milliseconds for one trial

/** What is bundled in the place of a file. */
interface Replacement {
  readonly file: string
  readonly contents: string
}

const replacing = ({ file, contents }: Replacement): Plugin => ({
  name: "mutant",
  setup: ({ onLoad }) => {
    const path = join(root, file)
    const loader = file.endsWith(".ts") ? "ts" : "js"
    onLoad({ filter: /\.(ts|js)$/ }, (args) => (args.path === path ? { contents, loader } : undefined))
  }
})

/** Runs a program; its output, or an error with what it said. */
const output = (program: string, args: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(program, [...args], { cwd: root, timeout: limit, maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stderr}`.slice(0, 2000)))
    )
  })

/** The kernels, compiled from a folder in which one file is another. */
const compiled = async (name: string, { file, contents }: Replacement): Promise<Replacement> => {
  const folder = join(cache, name)
  cpSync(join(root, "src/backend/assembly"), folder, { recursive: true })
  writeFileSync(join(folder, file.split("/").at(-1) as string), contents)
  const target = join(cache, `${name}.generated.js`)
  await output(process.execPath, [".build/kernels.mjs", folder, target])
  return { file: "src/backend/kernels.generated.js", contents: readFileSync(target, "utf8") }
}

const replacementOf = async (name: string, mutant: Mutant): Promise<Replacement> => {
  const contents = applied(mutant, readFileSync(join(root, mutant.file), "utf8"))
  if (contents instanceof Error) throw contents
  const replacement = { file: mutant.file, contents }
  return isAssembly(mutant) ? compiled(name, replacement) : replacement
}

/** Bundles the laws, with a mutant or without, and runs these packs. */
export const trial = async (
  name: string,
  mutant: Mutant | undefined,
  packs: ReadonlyArray<string>,
  runs: number
): Promise<Judgement> => {
  mkdirSync(cache, { recursive: true })
  const outfile = join(cache, `${name}.mjs`)
  const replacement = mutant === undefined ? [] : [replacing(await replacementOf(name, mutant))]
  await build({
    entryPoints: [fileURLToPath(new URL("./Judge.ts", import.meta.url))],
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    logLevel: "error",
    plugins: replacement,
    outfile
  })
  const text = await output(process.execPath, [outfile, String(runs), ...packs])
  return JSON.parse(text.trim().split("\n").at(-1) as string) as Judgement
}
