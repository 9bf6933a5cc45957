/**
 * Writes src/backend/gradients.generated.js: the gradients of TensorFlow.js as one plain ES module that exports `gradients`.
 *
 * Why: `@tensorflow/tfjs-core` registers no gradient by itself, and its module that does (dist/register_all_gradients) has
 * extension-less imports, which plain Node refuses. The list is tfjs's own, read from that module; nothing is rewritten.
 * What an internal module shares with the public exports (the very same value, found by comparing) is imported from there, so
 * that there is one copy of the ops; only the gradients and the few private ops are bundled. The generated module registers
 * nothing when it is loaded: src/backend/Gradients.ts does.
 */
import { readFile, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"

const CORE = "@tensorflow/tfjs-core"
const PUBLIC = "public" // a module that hands on public exports, so that the bundle has one import statement
const require = createRequire(import.meta.url)
const manifest = require.resolve(`${CORE}/package.json`)
const dist = join(dirname(manifest), "dist")
const entry = join(dist, "register_all_gradients.js")
const target = fileURLToPath(new URL("../src/backend/gradients.generated.js", import.meta.url))

/** Bundles into memory. */
const bundle = async (options) => {
  const common = { absWorkingDir: dist, bundle: true, format: "esm", metafile: true, write: false, logLevel: "warning" }
  const { metafile, outputFiles } = await build({ ...common, ...options })
  return { text: outputFiles[0].text, files: Object.keys(metafile.inputs).map((input) => resolve(dist, input)) }
}

/** The namespaces of tfjs-core's public index and of every module that the gradients reach, out of one copy, to compare. */
const load = async () => {
  const { files } = await bundle({ entryPoints: [entry], platform: "node" })
  const modules = files.filter((file) => file.startsWith(dist) && file !== entry)
  const lines = [join(dist, "index.js"), ...modules].map((file, i) => `export * as m${i} from ${JSON.stringify(file)}`)
  const stdin = { contents: lines.join("\n"), resolveDir: dist }
  const { text } = await bundle({ stdin, external: ["node-fetch"], format: "cjs", platform: "node" })
  const module = { exports: {} }
  new Function("module", "require", "global", text)(module, require, {}) // a global of its own: tfjs keeps its engine there
  return { tf: module.exports.m0, internal: new Map(modules.map((file, i) => [file, module.exports[`m${i + 1}`]])) }
}

const published = await import(CORE) // the names that Node's loader finds in the CommonJS build of the package
const names = Object.keys(published).filter((name) => name !== "default" && /^\w+$/.test(name))
const { tf, internal } = await load()

/** Internal values that the public exports have in another form. */
const equivalents = {
  ENGINE: { from: "engine", as: (engine) => `${engine}()`, holds: (value) => value === tf.engine() },
  getGlobalTensorClass: { from: "Tensor", as: (tensor) => `() => ${tensor}`, holds: (value) => value() === tf.Tensor }
}

const used = new Set() // the public exports that the bundle imports
const use = (name) => {
  used.add(name)
  return name
}

/** Where `value` is public, e.g. ["mul"] or ["util", "sizeFromShape"]; `undefined` when it is private. */
const find = (name, value) => {
  if (tf[name] === value && names.includes(name)) return [name]
  if (typeof value !== "function" && typeof value !== "object") return undefined // equal, but maybe by chance
  const outer = names.find((key) => tf[key] === value)
  if (outer !== undefined) return [outer]
  const space = names.find((key) => tf[key]?.[name] === value && published[key]?.[name] !== undefined)
  return space === undefined ? undefined : [space, name]
}

/** The public namespace that has everything of an internal one. */
const findSpace = (space) => names.find((key) => Object.keys(space).every((name) => tf[key]?.[name] === space[name]))

/** The import of one name, from the public exports where these have it. */
const redirect = (name, local, from, namespace) => {
  const other = equivalents[name]
  if (other?.holds(namespace[name])) {
    return `import { ${use(other.from)} as ${local}$ } from "${PUBLIC}"; const ${local} = ${other.as(`${local}$`)};`
  }
  const [outer, inner] = find(name, namespace[name]) ?? []
  if (outer === undefined) return `import { ${name} as ${local} } from "${from}";`
  if (inner === undefined) return `import { ${use(outer)} as ${local} } from "${PUBLIC}";`
  return `import { ${use(outer)} as ${local}$ } from "${PUBLIC}"; const ${local} = ${local}$.${inner};`
}

/** Redirects the imports of one file of tfjs-core. */
const rewrite = (source, file) => {
  const at = (from) => internal.get(resolve(dirname(file), `${from}.js`)) ?? {}
  return source
    .replace(/^import \{([^}]*)\} from '(\.[^']*)';$/gm, (_, list, from) =>
      list
        .split(",")
        .map((part) => part.trim().split(" as "))
        .map(([name, local = name]) => redirect(name, local, from, at(from)))
        .join("\n")
    )
    .replace(/^import \* as (\w+) from '(\.[^']*)';$/gm, (line, local, from) => {
      const space = findSpace(at(from))
      return space === undefined ? line : `import { ${use(space)} as ${local} } from "${PUBLIC}";`
    })
}

/** tfjs's list; its last step, the registration, becomes an export. */
const collect = (source) =>
  source.replace(
    "import { registerGradient } from './kernel_registry';",
    "export const gradients = []; const registerGradient = (gradient) => { gradients.push(gradient) };"
  )

const plugin = (exported) => ({
  name: "gradients",
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: /^public$/ }, ({ path }) => ({ path, namespace: PUBLIC }))
    onLoad({ filter: /.*/, namespace: PUBLIC }, () => ({
      contents: `export { ${exported} } from "${CORE}"`,
      resolveDir: dist
    }))
    onLoad({ filter: /\.js$/ }, async ({ path }) => {
      const source = (await readFile(path, "utf8")).replace(/^\/\/# sourceMappingURL=.*$/gm, "")
      return { contents: path === entry ? collect(source) : rewrite(source, path) }
    })
  }
})

const generate = (exported) =>
  bundle({
    entryPoints: [entry],
    plugins: [plugin(exported)],
    external: [CORE],
    legalComments: "none",
    minify: true,
    target: "es2022"
  })

await generate(names) // esbuild keeps every import from an external module: the first pass finds which are used
const { text } = await generate([...used].sort())
const [license] = (await readFile(entry, "utf8")).match(/\/\*\*[\s\S]*?\*\//)
const { version } = require(manifest)
const contents = `// Generated by .build/gradients.mjs from ${CORE} ${version}; do not edit.\n${license}\n${text}`
if ((await readFile(target, "utf8").catch(() => "")) !== contents) await writeFile(target, contents)
const { gradients } = await import(pathToFileURL(target).href) // plain Node must be able to load it
if (gradients.length === 0) throw new Error(`${entry} has changed: no gradient was collected`)
const [size, zipped] = [text, gzipSync(text)].map(({ length }) => `${(length / 1000).toFixed(1)} kB`)
console.log(`${gradients.length} gradients of TensorFlow.js ${version}: ${size} (${zipped} gzipped)`)
