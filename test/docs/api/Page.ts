/**
 * The API reference as pages: one for each room, and the list of all modules.
 */
import { readdirSync, readFileSync } from "node:fs"
import * as Catalogue from "../../../src/quant/Catalogue.ts"
import type { Entry, Module } from "./Surface.ts"

/** How long the line of a type may be that the compiler found. */
const longest = 300

const fence = (language: string, text: string): string => `\`\`\`${language}\n${text.trim()}\n\`\`\``

// ---- comments -----------------------------------------------------------------------------------------------

/** A comment without its tags. */
const prose = (comment: string): string => comment.replace(/(^|\n)@[\s\S]*$/, "").trim()

/** What a header says of the module, without the paragraph that says where it is and what it imports. */
const about = (header: string): string =>
  header
    .split("\n\n")
    .filter((part) => !/^(Room|Imports|Laws):/.test(part))
    .join("\n\n")

/** The first sentence, on one line. */
const first = (text: string): string =>
  (text.split(/\n\n|\n- /)[0] ?? "").replace(/\s+/g, " ").replace(/([.!?]) .*$/, "$1")

// ---- entries ------------------------------------------------------------------------------------------------

const cut = (signature: string): string =>
  signature.length > longest && !signature.includes("\n") ? `${signature.slice(0, longest)} …` : signature

const declared = ({ kind, name, signature, comment }: Entry): string => {
  const told = prose(comment)
  const lines = told === "" ? "" : `/**\n${told.replace(/^/gm, " * ").replace(/ +$/gm, "")}\n */\n`
  const short = told === "" || told.includes("\n") || told.length > 110 ? lines : `/** ${told} */\n`
  return `${short}${kind === "type" || kind === "class" ? signature : `${name}${cut(signature)}`}`
}

const shownFunction =
  (module: string) =>
  ({ name, signature, comment }: Entry): string =>
    `### ${module}.${name}\n\n${fence("ts", `${name}${cut(signature)}`)}\n\n${prose(comment)}`.trim()

const section = (title: string, entries: ReadonlyArray<Entry>): ReadonlyArray<string> =>
  entries.length === 0 ? [] : [`**${title}**`, fence("ts", entries.map(declared).join("\n\n"))]

/** Ready-made quantizers, whose facts are in the catalogue. */
const quantizers = (entries: ReadonlyArray<Entry>): string =>
  [
    "What is known of each is in the [catalogue](../catalogue.md).",
    "",
    ...entries.map(({ name, comment }) => `- \`${name}\`: ${prose(comment).replace(/\s+/g, " ")}`)
  ].join("\n")

const isQuantizer = ({ name, kind }: Entry): boolean => kind === "value" && name in Catalogue.entries

// ---- modules ------------------------------------------------------------------------------------------------

const examples = new URL("../../../docs/examples/modules/", import.meta.url)
const named = new Set(readdirSync(examples).map((file) => file.replace(/\.ts$/, "")))

/** The example of a module, and what it answers. */
const example = (name: string): ReadonlyArray<string> => {
  if (!named.has(name)) return []
  const [code = "", shows = ""] = readFileSync(new URL(`${name}.ts`, examples), "utf8").split("\nexport const shows = ")
  return [fence("ts", code), "It answers", fence("ts", shows)]
}

const moduleOf = ({ name, file, header, entries }: Module): string => {
  const listed = entries.filter(isQuantizer)
  const others = entries.filter((entry) => !isQuantizer(entry))
  const of = (kind: Entry["kind"]): ReadonlyArray<Entry> => others.filter((entry) => entry.kind === kind)
  return [
    `## ${name}`,
    `${about(header)} ([source](../../${file}))`,
    ...example(name.replace("breve/", "")),
    ...(listed.length > 0 ? [quantizers(listed)] : []),
    ...of("function").map(shownFunction(name)),
    ...section("Values", of("value")),
    ...section("Classes", of("class")),
    ...section("Types", of("type"))
  ].join("\n\n")
}

/** `src/op/Round.ts` is in the room `op`; the laws are one page. */
const roomOf = ({ file }: Module): string => file.match(/^src\/(\w+)\//)?.[1] ?? "laws"

const titles: Readonly<Record<string, string>> = {
  tensor: "what a value is: errors, trees of tensors, gradients, randomness",
  op: "formulas with their gradients",
  inject: "declarations that wire themselves",
  backend: "what is global about TensorFlow.js",
  core: "parts of quantizers, quantized tensors, optimisers",
  quant: "ready-made quantizers, and what they are made of",
  proxy: "the living quantizer of a layer",
  nn: "layers, models and their state",
  train: "training",
  ptq: "quantizing without training",
  exchange: "files of other systems",
  cli: "drawn digits",
  laws: "`breve/laws`"
}

/** The address of a heading within its page. */
export const anchor = (heading: string): string => heading.toLowerCase().replace(/[^\w-]/g, "")

const contents = (modules: ReadonlyArray<Module>, page = ""): string =>
  modules.map(({ name, header }) => `- [${name}](${page}#${anchor(name)}): ${first(about(header))}`).join("\n")

const page = (room: string, modules: ReadonlyArray<Module>): string =>
  [
    `# ${room}: ${titles[room]}`,
    "Written by `npm run api` from the sources. [All modules](README.md).",
    ...(room === "laws" ? example("laws") : []),
    contents(modules),
    `${modules.map(moduleOf).join("\n\n")}\n`
  ].join("\n\n")

const opening = `# API

Every module of breve, with an example, signatures and what they say: written by \`npm run api\` from the sources. A module is a namespace:
\`import { Round } from "breve"\`, then \`Round.nearest(x)\`.

The examples are files of \`docs/examples/modules\`, which the tests run. One that is a function is called within a \`tf.tidy\`, which disposes
what it makes; one that is an Effect runs as
\`Effect.runPromise(example.pipe(Effect.scoped, Effect.provide(Backend.layer)))\`. What they answer is shown with six digits, tensors as arrays.

An op has five bullets: the formula, the shapes (\`[...d]\` is any shape), what its gradient is, which errors there are, and its
[source](../sources.md). What is said of dtypes and memory everywhere: tensors are float32 unless something else is said, nothing that goes in is
changed or disposed, and what comes out belongs to the caller.`

/** The pages by the names of their files. */
export const pages = (surface: {
  readonly breve: ReadonlyArray<Module>
  readonly laws: ReadonlyArray<Module>
  readonly wasm: Module
}): Readonly<Record<string, string>> => {
  const all = [...surface.breve, surface.wasm, ...surface.laws]
  const rooms = Object.keys(titles).map((room) => [room, all.filter((one) => roomOf(one) === room)] as const)
  const list = rooms.map(
    ([room, modules]) => `## [${room}](${room}.md): ${titles[room]}\n\n${contents(modules, `${room}.md`)}`
  )
  return {
    "README.md": `${[opening, ...list].join("\n\n")}\n`,
    ...Object.fromEntries(rooms.map(([room, modules]) => [`${room}.md`, page(room, modules)]))
  }
}
