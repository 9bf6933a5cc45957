/**
 * What typical imports of the installed package weigh in a bundle, minified and gzipped, without the peers: `node sizes.mjs FOLDER`,
 * the folder that has breve in its node_modules. Each has a budget; laws and exchange cost nothing to those who do not import them.
 */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { build } from "vite"

/** Budgets in bytes after gzip, and what must not be there: parts of the paths of modules. */
const cases = [
  {
    name: "the wiring",
    code: 'import { Injector } from "breve"; export const q = Injector.make("Q", { a: 1 }); export const r = Injector.resolve(q, "a")',
    budget: 4_500,
    without: ["/laws/", "/exchange/", "/train/", "/nn/", "/core/", "/quant/", "/backend/"]
  },
  {
    name: "the wiring and one quantizer of chosen parts",
    code: `${readFileSync(new URL("../../docs/examples/bundles/quantizer.ts", import.meta.url), "utf8")}
      export const resolved = Injector.resolve(Int8Weight, "tensorQuant")`,
    budget: 15_000,
    without: ["/laws/", "/exchange/", "/train/", "/nn/", "/backend/", "/quant/"]
  },
  {
    name: "a quantizer of the catalogue, varied and resolved",
    code: 'import { Injector, ScaledInt } from "breve"; export const q = Injector.let(ScaledInt.Int8WeightPerTensorFloat, { bitWidth: 4 }); export const r = Injector.resolve(q, "tensorQuant")',
    budget: 22_500,
    without: ["/laws/", "/exchange/", "/train/", "/nn/", "/backend/", "/inject/Inspect", "/inject/Tree", "/FloatQuant"]
  },
  {
    name: "the WASM backend with its kernels and gradients",
    code: 'export * from "breve/wasm"',
    budget: 33_000,
    without: ["/laws/", "/exchange/", "/train/", "/nn/", "/core/", "/quant/"]
  },
  {
    name: "a linear layer",
    code: 'import { Linear } from "breve"; export const make = Linear.quantLinear',
    budget: 28_000,
    without: ["/laws/", "/exchange/", "/train/", "/backend/"]
  },
  { name: "the whole library", code: 'export * from "breve"', budget: 225_000, without: ["/laws/", "/cli/Report"] },
  {
    name: "a law of one's own",
    code: 'import { Arbitrary, Law } from "breve/laws"; export const law = Law.forAll({ name: "", states: "" }, { x: Arbitrary.tensor() }, () => true)',
    budget: 3_000,
    without: ["/exchange/", "/train/", "/nn/", "/quant/"]
  },
  {
    name: "the laws of rounding",
    code: 'import { Law, RoundingLaws } from "breve/laws"; export const laws = Law.cases(RoundingLaws.all, {})',
    budget: 3_000,
    without: ["/exchange/", "/train/", "/nn/", "/quant/", "/proxy/"]
  },
  {
    name: "the laws of quantizers",
    code: 'export { Law, TensorQuantizerLaws } from "breve/laws"',
    budget: 52_000,
    without: ["/exchange/", "/train/", "/nn/"]
  },
  { name: "every law", code: 'export * from "breve/laws"', budget: 110_000, without: ["/cli/", "/ptq/"] }
]

const peers = [/^@tensorflow\//, /^effect(\/|$)/, /^fast-check$/, /^fp-ts\//, /^onnxruntime-web(\/|$)/]

/** A bundle as Vite makes it for an application. */
const bundled = async (code, root) => {
  const folder = mkdtempSync(join(root, "size-"))
  const input = join(folder, "entry.js")
  try {
    writeFileSync(input, code)
    const { output } = await build({
      root,
      configFile: false,
      logLevel: "error",
      build: {
        write: false,
        target: "es2022",
        modulePreload: false,
        rolldownOptions: { input, external: peers, preserveEntrySignatures: "strict" }
      }
    })
    const chunks = output.filter(({ type }) => type === "chunk")
    const text = chunks.map((chunk) => chunk.code).join("\n")
    const modules = chunks.flatMap((chunk) => Object.entries(chunk.modules))
    return {
      bytes: text.length,
      gzip: gzipSync(text, { level: 9 }).length,
      modules: modules.filter(([, { renderedLength }]) => renderedLength > 0).map(([file]) => file.replace(root, ""))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const folder = realpathSync(process.argv[2] ?? process.cwd())
const measured = []
for (const one of cases) measured.push({ ...one, ...(await bundled(one.code, folder)) })

console.table(
  measured.map(({ name, bytes, gzip, budget, modules }) => ({
    import: name,
    "minified kB": Number((bytes / 1000).toFixed(1)),
    "gzip kB": Number((gzip / 1000).toFixed(1)),
    "budget kB": budget / 1000,
    modules: modules.length
  }))
)
const wrong = measured.flatMap(({ name, gzip, budget, modules, without }) => [
  ...(gzip <= budget ? [] : [`${name}: ${gzip} bytes, more than ${budget}`]),
  ...without.flatMap((part) => modules.filter((file) => file.includes(part)).map((file) => `${name}: has ${file}`))
])
for (const text of wrong) console.error(`sizes: ${text}`)
console.log(wrong.length === 0 ? "sizes: OK" : `sizes: ${wrong.length} failures`)
process.exitCode = wrong.length === 0 ? 0 : 1
