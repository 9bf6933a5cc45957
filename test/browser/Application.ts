/**
 * An application that has breve installed from its tarball: the folder that the test pages are built and served from.
 */
import { execFile } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { Effect, type Scope } from "effect"
import { buildSync, transformSync } from "esbuild"
import { build } from "vite"
import { importMap } from "./ImportMap.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const here = fileURLToPath(new URL(".", import.meta.url))
const run = promisify(execFile)

/** What breve needs at run time besides itself; the versions are those that it is developed with. */
const packages = [
  "@tensorflow/tfjs-backend-cpu",
  "@tensorflow/tfjs-backend-wasm",
  "@tensorflow/tfjs-core",
  "effect",
  "onnxruntime-web",
  "protobufjs",
  "pure-rand"
]

/** What the pages need of the application. */
export interface Application {
  readonly folder: string
  /** the page as Vite bundles it */
  readonly bundled: string
  /** the page as it is, with an import map */
  readonly plain: string
  readonly modules: string
  /** the binaries of tfjs */
  readonly wasm: string
}

const packed = async (folder: string): Promise<string> => {
  await run("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: root, maxBuffer: 1 << 26 })
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"))
  return tarball === undefined ? Promise.reject(new Error(`npm pack left nothing in ${folder}`)) : join(folder, tarball)
}

const install = async (modules: string, tarball: string): Promise<void> => {
  mkdirSync(join(modules, "breve"), { recursive: true })
  await run("tar", ["-xzf", tarball, "-C", join(modules, "breve"), "--strip-components=1"])
  for (const name of packages) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, "node_modules", name), join(modules, name))
  }
}

/** A script of the test as JavaScript: its types removed, its imports of packages as they are. */
const script = (name: string): string =>
  transformSync(readFileSync(join(here, `${name}.ts`), "utf8"), { loader: "ts", target: "es2022" }).code.replaceAll(
    /from "(\.\/\w+)\.ts"/g,
    'from "$1.js"'
  )

/** protobufjs is published as CommonJS alone; a page without a bundler takes it as one file that is a module. */
const protobuf = (modules: string, outfile: string): void => {
  buildSync({
    entryPoints: [join(modules, "protobufjs/minimal.js")],
    bundle: true,
    format: "esm",
    outfile,
    logLevel: "error"
  })
}

const page = (head: string): string =>
  `<!doctype html>\n<meta charset="utf-8">\n<link rel="icon" href="data:,">\n<title>running</title>\n${head}\n<script type="module" src="./Page.js"></script>\n`

const bundle = (folder: string, outDir: string): Promise<unknown> =>
  build({
    root: folder,
    base: "./",
    configFile: false,
    logLevel: "error",
    build: { outDir, target: "es2022", chunkSizeWarningLimit: 4000 }
  })

/** Packs breve, installs the tarball into a new folder and bundles the page there; the folder ends with the Scope. */
export const make: Effect.Effect<Application, never, Scope.Scope> = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "breve-browser-"))),
    (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
  )
  const modules = join(folder, "node_modules")
  const plain = join(folder, "plain")
  const bundled = join(folder, "bundled")
  return yield* Effect.promise(async () => {
    await install(modules, process.env.BREVE_TARBALL ?? (await packed(folder)))
    mkdirSync(plain)
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }))
    for (const name of ["Experiment", "Page"]) writeFileSync(join(plain, `${name}.js`), script(name))
    protobuf(modules, join(plain, "protobufjs.js"))
    writeFileSync(join(plain, "index.html"), page(""))
    await bundle(plain, bundled)
    writeFileSync(
      join(plain, "index.html"),
      page(`<script type="importmap">${JSON.stringify(importMap, undefined, 2)}</script>`)
    )
    const wasm = join(modules, "@tensorflow/tfjs-backend-wasm/dist")
    if (!existsSync(wasm)) throw new Error(`no binaries at ${wasm}`)
    return { folder, bundled, plain, modules, wasm }
  })
})

/** Runs the experiment in plain Node. */
export const inNode = ({ plain }: Application): Effect.Effect<string> =>
  Effect.promise(async () => {
    const code = 'import { run } from "./Experiment.js"; console.log(JSON.stringify(await run({})))'
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", code], { cwd: plain })
    return stdout.trim().split("\n").at(-1) ?? ""
  })
