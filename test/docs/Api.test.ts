/**
 * The pages of docs/api say what the sources say.
 */
import { readdir, readFile } from "node:fs/promises"
import * as Breve from "breve"
import { describe, expect, it } from "vitest"
import * as Page from "./api/Page.ts"
import * as Surface from "./api/Surface.ts"

const folder = new URL("../../docs/api/", import.meta.url)
const surface = Surface.read()
const pages = Page.pages(surface)
const module = (name: string): Surface.Module =>
  surface.breve.find((one) => one.name === name) ?? expect.fail(`no ${name}`)
const entry = (of: string, name: string): Surface.Entry =>
  module(of).entries.find((one) => one.name === name) ?? expect.fail(`no ${of}.${name}`)

describe("the API reference", () => {
  it("has a page for each room and nothing else", async () =>
    expect((await readdir(folder)).sort()).toEqual(Object.keys(pages).sort()))

  it.each(Object.keys(pages))("%s is up to date; if not, run: npm run api", async (name) =>
    expect(await readFile(new URL(name, folder), "utf8")).toBe(pages[name])
  )

  it("has links that lead somewhere", () => {
    const headings = (page: string): ReadonlyArray<string> =>
      [...(pages[page] ?? "").matchAll(/^##+ (.*)$/gm)].map(([, heading]) => Page.anchor(heading as string))
    const links = Object.entries(pages).flatMap(([page, text]) =>
      [...text.matchAll(/\]\(([\w.]*)#([\w-]+)\)/g)].map(([, to, at]) => [to || page, at as string] as const)
    )
    expect(links.length).toBeGreaterThan(2 * surface.breve.length)
    for (const [page, at] of links) expect(headings(page as string), `${page}#${at}`).toContain(at)
  })
})

describe("what is read of the sources", () => {
  it("is every module and every value that there is as the package runs", () => {
    expect(surface.breve.map(({ name }) => name).sort()).toEqual(Object.keys(Breve).sort())
    for (const [name, values] of Object.entries(Breve)) {
      const found = module(name).entries.filter(({ kind }) => kind !== "type")
      expect(found.map((one) => one.name).sort(), name).toEqual(Object.keys(values).sort())
    }
  })
  it("is the heads of functions, as they are written", () => {
    expect(entry("Round", "nearest")).toMatchObject({ kind: "function", signature: ": (x: tf.Tensor) => tf.Tensor" })
    expect(entry("Fork", "make").signature).toMatch(/^<L extends Layer.Stateful>\(\n {2}layer: L,/)
  })
  it("is what the compiler finds where nothing is written", () =>
    expect(entry("Frozen", "make").signature).toMatch(/^: <In, .* => Effect<Layer<In, Out>, never, Scope>$/))
  it("is the dependencies of what the injector builds", () =>
    expect(entry("Clamp", "TensorClamp").signature).toBe("(given: {}): Clamp"))
  it("is a value and a type of one name", () =>
    expect(module("IntScaling").entries.filter(({ name }) => name === "IntScaling")).toHaveLength(2))
})
