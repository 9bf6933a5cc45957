import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { main, parse, Refusal } from "./Runner.ts"

let folder = ""
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "breve-vectors-"))
})
afterAll(() => rm(folder, { recursive: true }))

const vectors = async (name: string, files: Readonly<Record<string, unknown>>): Promise<string> => {
  const root = join(folder, name)
  for (const section of ["core", "api"]) await mkdir(join(root, section), { recursive: true })
  for (const [file, content] of Object.entries(files))
    await writeFile(join(root, file), typeof content === "string" ? content : JSON.stringify(content))
  return root
}
const run = async (...args: ReadonlyArray<string>) => {
  const lines: Array<string> = []
  const status = await main(args, (line) => lines.push(line))
  return { status, lines }
}
const refusal = (...args: ReadonlyArray<string>): Promise<string> =>
  run(...args).then(
    () => expect.fail("it ran"),
    (cause: unknown) => (cause instanceof Refusal ? cause.message : expect.fail(String(cause)))
  )

const declared = (attributes: object, steps: ReadonlyArray<object>, results: ReadonlyArray<object>, rest = {}) => ({
  name: "a case",
  config: {
    classes: {},
    functions: {},
    injectors: { X: { bases: ["Injector"], attributes } },
    steps: [{ op: "define", name: "X" }, ...steps],
    ...rest
  },
  outputs: { results: [{ defined: "X", calls: [] }, ...results] }
})
const one = declared({ a: { value: 1 } }, [{ op: "get", target: "X", attr: "a" }], [{ value: 1, calls: [] }])
const two = declared({ a: { value: 2 } }, [{ op: "get", target: "X", attr: "a" }], [{ value: 1, calls: [] }])
const early = declared(
  { foo: { class: "Foo" }, bar: { class: "Bar" } },
  [{ op: "get", target: "X", attr: "foo" }],
  [
    {
      error: { kind: "DependencyError", message: "'X' can not resolve attribute 'nope' while building 'foo'" },
      calls: ["Bar"]
    }
  ],
  { classes: { Foo: { args: [{ name: "bar" }, { name: "nope" }] }, Bar: { args: [] } } }
)
const counts = (file: string, passed: number, failed: number, unsupported: number, deviations: number) => ({
  file,
  passed,
  failed,
  unsupported,
  deviations
})

describe("the reference run", () => {
  it("counts passed, failed and deviating cases, and what nothing replays", async () => {
    const root = await vectors("counted", {
      "api/injector.json": { cases: [one, two, early] },
      "core/unheard.json": { cases: [one] }
    })
    const { status, lines } = await run("--vectors", root, "--json")
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { files: [counts("core/unheard.json", 0, 0, 1, 0), counts("api/injector.json", 1, 1, 0, 1)] }
    ])
    expect(status).toBe(1)
    const { lines: printed } = await run("--vectors", root)
    expect(printed.join("\n")).toContain("failed       api/injector.json a case: step 1 (get)")
  })
  it("succeeds if nothing failed or was unsupported", async () => {
    const root = await vectors("good", {
      "api/injector.json": { cases: [one, early] },
      "core/x.json": { cases: [one] }
    })
    expect((await run("--vectors", root, "--area", "api/injector")).status).toBe(0)
    expect((await run("--vectors", root, "--area", "api")).status).toBe(0)
    expect((await run("--vectors", root)).status).toBe(1)
  })
  it("says in one line what is wrong with the files", async () => {
    const root = await vectors("bad", { "api/injector.json": "{", "core/none.json": { cases: [] }, "core/no.json": {} })
    expect(await refusal("--vectors", join(folder, "absent"))).toContain("no folder")
    expect(await refusal("--vectors", await vectors("empty", {}))).toContain("neither core/*.json nor api/*.json")
    expect(await refusal("--vectors", root, "--area", "api/export")).toContain('no vectors for the area "api/export"')
    expect(await refusal("--vectors", root, "--area", "api/injector")).toContain("injector.json is not JSON")
    expect(await refusal("--vectors", root, "--area", "core/none")).toContain("has no cases")
    expect(await refusal("--vectors", root, "--area", "core/no")).toContain('has no list "cases"')
    const lacking = await vectors("lacking", { "api/injector.json": { cases: [{ name: "x" }] } })
    expect(await refusal("--vectors", lacking)).toContain('case 0 lacks "name", "config" or "outputs"')
  })
  it("says what is wrong with the arguments", () => {
    expect(() => parse(["--vector"])).toThrow('unknown argument "--vector"')
    expect(() => parse(["--area"])).toThrow("--area needs a value")
    expect(parse(["--json"])).toEqual({
      vectors: join("test", "reference"),
      area: undefined,
      backend: "wasm",
      json: true
    })
  })
})
