/**
 * Marks the calls that a built module makes while it is loaded as free of effects, so that bundlers leave out what nobody uses. That
 * they are says package.json, where `sideEffects` names the modules whose calls count; those stay as they are.
 *
 * Calls within functions are not touched. The marks move what follows on their lines: of such code, source maps name the line.
 */
import { readdir, readFile, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { parseAst } from "vite"

const root = fileURLToPath(new URL("..", import.meta.url))
const { sideEffects } = JSON.parse(await readFile(`${root}package.json`, "utf8"))
const MARK = "/*#__PURE__*/ "

/** Where calls begin that run when the node is evaluated. */
const callsIn = (node) => {
  if (node === null || typeof node !== "object") return []
  if (Array.isArray(node)) return node.flatMap(callsIn)
  if (/Function|^MethodDefinition$|^PropertyDefinition$|^StaticBlock$/.test(node.type ?? "")) return []
  const own = node.type === "CallExpression" || node.type === "NewExpression" ? [node.start] : []
  return [...own, ...Object.values(node).flatMap(callsIn)]
}

/** The values of constants, and what classes extend. */
const evaluated = (statement) => {
  const declared = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement
  if (declared?.type === "VariableDeclaration") return declared.declarations.map(({ init }) => init)
  return declared?.type === "ClassDeclaration" ? [declared.superClass] : []
}

const marked = (source) =>
  [...new Set(parseAst(source).body.flatMap(evaluated).flatMap(callsIn))]
    .filter((at) => !source.slice(0, at).trimEnd().endsWith("__PURE__*/"))
    .sort((a, b) => b - a)
    .reduce((text, at) => text.slice(0, at) + MARK + text.slice(at), source)

const files = (await readdir(`${root}dist`, { recursive: true })).filter((file) => file.endsWith(".js"))
for (const file of files) {
  if (sideEffects.includes(`./dist/${file}`)) continue
  const source = await readFile(`${root}dist/${file}`, "utf8")
  const text = marked(source)
  if (text !== source) await writeFile(`${root}dist/${file}`, text)
}
