/**
 * What the package exports, read by the compiler: its modules, and of each what it exports, with signatures and comments.
 *
 * A signature is the text of the source without the body; where the source says no type, it is what the compiler infers.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type {
  ArrowFunction,
  ClassDeclaration,
  FunctionDeclaration,
  Node,
  VariableDeclaration
} from "typescript/unstable/ast"
import {
  isArrowFunction,
  isClassDeclaration,
  isFunctionDeclaration,
  isInterfaceDeclaration,
  isSourceFile,
  isTypeAliasDeclaration,
  isVariableDeclaration
} from "typescript/unstable/ast/is"
import {
  API,
  type Symbol as Named,
  NodeBuilderFlags,
  type Project,
  SignatureKind,
  SymbolFlags,
  type Type
} from "typescript/unstable/sync"

/** Something that a module exports. */
export interface Entry {
  readonly name: string
  readonly kind: "function" | "value" | "type" | "class"
  /** what stands behind the name; of a type or class its whole declaration */
  readonly signature: string
  /** the doc comment without its stars; empty: none */
  readonly comment: string
}

/** A module of the package, by the name under which it is exported; an entry of the package has its own name, such as `breve/wasm`. */
export interface Module {
  readonly name: string
  /** from the root of the project */
  readonly file: string
  /** the comment at the head of the file, without stars */
  readonly header: string
  readonly entries: ReadonlyArray<Entry>
}

const root = fileURLToPath(new URL("../../..", import.meta.url))

// ---- comments -----------------------------------------------------------------------------------------------

const withoutStars = (comment: string): string =>
  comment
    .replace(/^\/\*\*+ ?/, "")
    .replace(/\s*\*\/$/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trimEnd())
    .join("\n")
    .trim()

/** The last doc comment of what stands before a statement. */
const commentBefore = (text: string): string =>
  withoutStars(text.match(/\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*$/)?.[0].trim() ?? "")

/** The statement that a declaration stands in: the child of the file. */
const statementOf = (node: Node): Node => (isSourceFile(node.parent) ? node : statementOf(node.parent))

const commentOf = (declaration: Node): string => {
  const statement = statementOf(declaration)
  return commentBefore(statement.getSourceFile().text.slice(statement.pos, statement.getStart()))
}

// ---- signatures ---------------------------------------------------------------------------------------------

type Described = Omit<Entry, "name">

const textOf = (node: Node, to: number): string => node.getSourceFile().text.slice(node.getStart(), to).trim()

/** A type that the compiler found, with the names that one would write. */
const shown = ({ checker }: Project, type: Type | undefined): string =>
  type === undefined
    ? "unknown"
    : checker
        .typeToString(type, undefined, NodeBuilderFlags.NoTruncation)
        .replace(/\bTensor<Rank>/g, "tf.Tensor")
        .replace(/\b(\w+Array)<ArrayBufferLike>/g, "$1")

const answerOf = (project: Project, arrow: Node): string => {
  const type = project.checker.getTypeAtLocation(arrow)
  const [signature] = type === undefined ? [] : project.checker.getSignaturesOfType(type, SignatureKind.Call)
  return shown(project, signature && project.checker.getReturnTypeOfSignature(signature))
}

/** `(x: A): B` of `(x: A): B => ...`; of a function that answers a function both heads. */
const headOf = (project: Project, arrow: ArrowFunction): string => {
  const head = textOf(arrow, arrow.equalsGreaterThanToken.pos)
  if (arrow.type !== undefined) return head
  const { body } = arrow
  return isArrowFunction(body) ? `${head} => ${headOf(project, body)}` : `${head}: ${answerOf(project, arrow)}`
}

/** The parts of a text between semicolons that no bracket encloses. */
const membersOf = (text: string): ReadonlyArray<string> => {
  const members = [""]
  const depth = { now: 0 }
  for (const [i, c] of [...text].entries()) {
    if ("{[(<".includes(c)) depth.now++
    if ("}])".includes(c) || (c === ">" && text[i - 1] !== "=")) depth.now--
    if (c === ";" && depth.now === 0) members.push("")
    else members[members.length - 1] += c
  }
  return members.map((member) => member.trim()).filter((member) => member !== "")
}

/** A constructor of the injector as the function that it is: from its dependencies by name to what it builds. */
const ofConstructor = (type: string): string | undefined => {
  const [, answer, needs = ""] = type.match(/^Constructor<(\w+), RequiredOf<\{(.*?)\}>, OptionalOf</) ?? []
  if (answer === undefined) return undefined
  const given = membersOf(needs).map((member) =>
    member
      .replace(/^readonly /, "")
      .replace(/^(\w+): Required<(.*)>$/, "$1: $2")
      .replace(/^(\w+): Optional<(.*)>$/, "$1?: $2")
  )
  const line = given.length === 0 ? "{}" : `{ ${given.join("; ")} }`
  return `(given: ${line.length > 90 ? `{\n${given.map((one) => `  ${one}\n`).join("")}}` : line}): ${answer}`
}

const ofVariable = (project: Project, node: VariableDeclaration, comment: string): Described => {
  const { initializer, type } = node
  const found = project.checker.getTypeAtLocation(node)
  const callable = found !== undefined && project.checker.getSignaturesOfType(found, SignatureKind.Call).length > 0
  const kind = callable ? "function" : "value"
  if (type !== undefined) return { kind, signature: `: ${type.getText()}`, comment }
  if (initializer !== undefined && isArrowFunction(initializer))
    return { kind, signature: headOf(project, initializer), comment }
  const inferred = shown(project, found)
  const constructed = ofConstructor(inferred)
  if (constructed !== undefined) return { kind, signature: constructed, comment }
  const written = initializer?.getText() ?? ""
  const isShort = kind === "value" && written !== "" && written.length < inferred.length
  return { kind, signature: isShort ? ` = ${written}` : `: ${inferred}`, comment }
}

/** Functions have one declaration for each overload, and one with the body, which does not show. */
const ofFunctions = (nodes: ReadonlyArray<FunctionDeclaration>): string => {
  const overloads = nodes.filter(({ body }) => body === undefined)
  return (overloads.length > 0 ? overloads : nodes)
    .map((node) => textOf(node, node.body?.pos ?? node.end))
    .map((text) => text.replace(/^export (declare )?function \w+/, ""))
    .join("\n")
}

/** The fields of a tagged error or service. */
const ofClass = (node: ClassDeclaration): string =>
  `class ${node.name?.text} ${node.heritageClauses?.[0]?.getText().match(/<(\{[\s\S]*\})>/)?.[1] ?? "{}"}`

const declared = (node: Node): string => textOf(node, node.end).replace(/^export (declare )?/, "")

/** What a name stands for; a value and a type may share it. */
const described = (project: Project, symbol: Named): ReadonlyArray<Described> => {
  const nodes = symbol.declarations.flatMap((handle) => handle.resolve(project) ?? [])
  const functions = nodes.filter(isFunctionDeclaration)
  const comment = functions.map(commentOf).find((text) => text !== "") ?? ""
  return [
    ...(functions.length > 0 ? [{ kind: "function", signature: ofFunctions(functions), comment } as const] : []),
    ...nodes.flatMap((node): ReadonlyArray<Described> => {
      if (isInterfaceDeclaration(node) || isTypeAliasDeclaration(node))
        return [{ kind: "type", signature: declared(node), comment: commentOf(node) }]
      if (isClassDeclaration(node)) return [{ kind: "class", signature: ofClass(node), comment: commentOf(node) }]
      return isVariableDeclaration(node) ? [ofVariable(project, node, commentOf(node))] : []
    })
  ]
}

// ---- modules ------------------------------------------------------------------------------------------------

const headerOf = (file: string): string => {
  const text = readFileSync(`${root}/${file}`, "utf8")
  return withoutStars(text.match(/^(?:#!.*\n)?(\/\*\*(?:(?!\*\/)[\s\S])*\*\/)/)?.[1] ?? "")
}

const relative = (path: string): string => path.replace(root.replace(/\/?$/, "/"), "")

const moduleOf = (project: Project, name: string, symbol: Named): Module => {
  const { checker } = project
  const file = relative(symbol.declarations[0]?.resolve(project)?.getSourceFile().fileName ?? "")
  const entries = checker.getExportsOfModule(symbol).flatMap((one) => {
    const target = one.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(one) : one
    return described(project, target).map((found): Entry => ({ name: one.name, ...found }))
  })
  return { name, file, header: headerOf(file), entries }
}

const symbolOf = (project: Project, file: string): Named => {
  const source = project.program.getSourceFile(`${root}/${file}`)
  const symbol = source && project.checker.getSymbolAtLocation(source)
  if (symbol === undefined) throw new Error(`${file} is not part of the project`)
  return symbol
}

/** The modules of a barrel, in its order. */
const barrel = (project: Project, file: string): ReadonlyArray<Module> =>
  project.checker
    .getExportsOfModule(symbolOf(project, file))
    .map((one) => moduleOf(project, one.name, project.checker.getAliasedSymbol(one)))

/** All modules: of `breve`, of `breve/laws`, and `breve/wasm`. */
export const read = (): {
  readonly breve: ReadonlyArray<Module>
  readonly laws: ReadonlyArray<Module>
  readonly wasm: Module
} => {
  const api = new API({ cwd: root })
  try {
    const config = `${root}/tsconfig.json`
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config)
    if (project === undefined) throw new Error("the project cannot be opened")
    return {
      breve: barrel(project, "src/index.ts"),
      laws: barrel(project, "laws/index.ts"),
      wasm: moduleOf(project, "breve/wasm", symbolOf(project, "src/backend/Wasm.ts"))
    }
  } finally {
    api.close()
  }
}
