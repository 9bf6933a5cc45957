/**
 * Marks what a built module computes while it is loaded as free of effects, so that bundlers leave out what nobody uses. That it is
 * says package.json, where `sideEffects` names the modules whose calls count; those stay as they are.
 *
 * A call is marked. A spread and a field of a value could run a getter: bundlers keep them, with all that they name, even where the
 * call around them is marked. A value that has one becomes the marked call of a function. Within functions nothing is touched. The
 * marks move what follows on their lines: of such code, source maps name the line.
 */
import { readdir, readFile, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { parseAst } from "vite"

const root = fileURLToPath(new URL("..", import.meta.url))
const { sideEffects } = JSON.parse(await readFile(`${root}package.json`, "utf8"))
const MARK = "/*#__PURE__*/ "

/** The nodes that are evaluated with this one, itself among them. */
const evaluatedWith = (node) => {
  if (node === null || typeof node !== "object") return []
  if (Array.isArray(node)) return node.flatMap(evaluatedWith)
  if (/Function|^MethodDefinition$|^PropertyDefinition$|^StaticBlock$/.test(node.type ?? "")) return []
  return [node, ...Object.values(node).flatMap(evaluatedWith)]
}

/** The values of constants, and what classes extend. */
const evaluated = (statement) => {
  const declared = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement
  if (declared?.type === "VariableDeclaration") return declared.declarations.map(({ init }) => init)
  return declared?.type === "ClassDeclaration" ? [declared.superClass] : []
}

/** Whether it could run a getter, as far as bundlers know: a spread, or a field of anything but a module or `Math`. */
const looksInto = (modules) => (node) =>
  node.type === "SpreadElement" || (node.type === "MemberExpression" && !modules.has(node.object.name))

/** What is to be written where in the text of a value. */
const insertions = (value, modules) => {
  const nodes = evaluatedWith(value)
  if (nodes.some(looksInto(modules)))
    return [
      { at: value.start, text: `${MARK}(() => (` },
      { at: value.end, text: "))()" }
    ]
  const calls = nodes.filter(({ type }) => type === "CallExpression" || type === "NewExpression")
  return [...new Set(calls.map(({ start }) => start))].map((at) => ({ at, text: MARK }))
}

/** The names under which other modules are known. */
const modulesOf = (body) =>
  body
    .flatMap((statement) => (statement.type === "ImportDeclaration" ? statement.specifiers : []))
    .map(({ local }) => local.name)

const marked = (source) => {
  const { body } = parseAst(source)
  const modules = new Set(["Math", ...modulesOf(body)])
  return body
    .flatMap(evaluated)
    .flatMap((value) => insertions(value, modules))
    .filter(({ at }) => !source.slice(0, at).trimEnd().endsWith("__PURE__*/"))
    .sort((a, b) => b.at - a.at)
    .reduce((whole, { at, text }) => whole.slice(0, at) + text + whole.slice(at), source)
}

const files = (await readdir(`${root}dist`, { recursive: true })).filter((file) => file.endsWith(".js"))
for (const file of files) {
  if (sideEffects.includes(`./dist/${file}`)) continue
  const source = await readFile(`${root}dist/${file}`, "utf8")
  const text = marked(source)
  if (text !== source) await writeFile(`${root}dist/${file}`, text)
}
